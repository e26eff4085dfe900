import type { ServerName } from '@causeway/matrix/ids/ids.ts'

/**
 * How many sticky events other servers may have here: each of them is told to everybody in its room, whatever else was said.
 * https://github.com/matrix-org/matrix-spec-proposals/pull/4354
 */
export interface StickyLimit {
  /** In how many milliseconds a server may send so many; 0: now. */
  waitFor(server: ServerName, count: number): number
  /** Counts one of a server's; false: there are too many, and it is not sticky here. */
  admit(server: ServerName): boolean
}

export const NO_STICKY_LIMIT: StickyLimit = { waitFor: () => 0, admit: () => true }
