import type { TSchema, Static } from 'typebox'
import { Compile } from 'typebox/schema'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { Homeserver } from '../../homeserver.ts'
import type { RoomGate } from './room-gate.ts'

/** What handlers are handed beside the contents. */
export interface EduContext {
  readonly hs: Homeserver
  /** The server that signed the transaction: it speaks for its own users and nobody else. */
  readonly origin: ServerName
  readonly gate: RoomGate
  /** Something was left out that was not the sender's to say, or too much. */
  readonly refuse: (n?: number) => void
}

/** Takes in the EDUs of one type in one transaction, in order. */
export interface EduHandler {
  accepts(content: unknown): boolean
  run(context: EduContext, contents: readonly unknown[]): Promise<void>
}

/**
 * A handler of contents that have the form of a schema; others never reach it. Rejects only for faults of ours:
 * then the transaction is not acknowledged, and comes again.
 */
export function defineEdu<T extends TSchema>(
  schema: T,
  run: (context: EduContext, contents: readonly Static<T>[]) => Promise<void>,
): EduHandler {
  const compiled = Compile(schema)
  return {
    accepts: (content) => compiled.Check(content),
    run: (context, contents) => run(context, contents as readonly Static<T>[]),
  }
}
