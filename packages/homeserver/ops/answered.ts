import { channel } from 'node:diagnostics_channel'

/** An operation that was carried out: one of ours for a request, or one of an application service asked by us. */
export interface Answered {
  readonly method: string
  /** As it is declared, with its parameters' names. */
  readonly path: string
  /** HTTP status of the answer. */
  readonly status: number
}

/**
 * Tells of every answer whoever subscribes within the process; costs nothing where nobody does. The tests learn
 * from it which operations they had an answer from.
 */
export const answered = channel('causeway:answered')
