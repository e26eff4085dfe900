import type { Static, TObject, TProperties } from 'typebox'

/** The process as commands see it. */
export interface Terminal {
  /** Results. */
  out(text: string): void
  /** What is told beside them. */
  err(text: string): void
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly folder: string
  /** The first line of standard input. */
  readLine(): Promise<string>
}

/** A command of the command line: one file in `commands/`, its name that of the file. */
export interface CliCommand<I extends TObject = TObject> {
  /** What stands without a dash, as properties of `input`: `<key> [file]`. */
  readonly usage: string
  /** One sentence without a full stop. */
  readonly summary: string
  /** Options, each with a `description`; `dryRun` is given as `--dry-run`. */
  readonly input: I
  /** Answers the exit code; 0 is success. */
  readonly run: (terminal: Terminal, input: Static<I>) => Promise<number>
}

/** Declares a command; infers the type of its input. */
export function defineCommand<P extends TProperties>(
  command: CliCommand<TObject<P>>,
): CliCommand<TObject<P>> {
  return command
}

// oxlint-disable-next-line typescript/no-explicit-any -- a table of commands erases their input types
export type AnyCliCommand = CliCommand<any>

/** What commands and admin commands have in common: enough to read arguments and to print help. */
export type Invocable = Pick<AnyCliCommand, 'usage' | 'summary' | 'input'>

/** The person gave something that cannot be: shown without a stack, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
