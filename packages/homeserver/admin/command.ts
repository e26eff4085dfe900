import type { Static, TObject, TProperties } from 'typebox'
import type { JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { Homeserver } from '../homeserver.ts'

/** Who gave an administrative command: for the audit line in the log. */
export interface CommandActor {
  /** `socket` for whoever may open the admin socket, `token` for a holder of the admin token, or a user id. */
  readonly name: string
}

/**
 * One administrative command, in a file of its own: `commands/<noun>-<verb>.ts` exports it as `command`, and its
 * name is that of the file. The command line, the admin listener and the manual are made from this record.
 */
export interface AdminCommand<I extends TObject = TObject> {
  /**
   * What stands without a dash, as properties of `input`: `<userId> [displayName]`. All other properties are
   * options: `dryRun: Type.Boolean()` is given as `--dry-run`.
   */
  readonly usage: string
  /** One sentence without a full stop. */
  readonly summary: string
  /** Each property with a `description`. */
  readonly input: I
  /** Answers what is shown: an object, or a list of objects as a table. Throws MatrixError for a refusal. */
  readonly run: (hs: Homeserver, input: Static<I>, actor: CommandActor) => Promise<JsonValue>
}

/** Declares a command; infers the type of its input. */
export function defineAdminCommand<P extends TProperties>(
  command: AdminCommand<TObject<P>>,
): AdminCommand<TObject<P>> {
  return command
}

// oxlint-disable-next-line typescript/no-explicit-any -- a table of commands erases their input types
export type AnyAdminCommand = AdminCommand<any>
