import type { UserId } from '@causeway/matrix/ids/ids.ts'

/** The last changes, in order, for readers who come back soon. */
export interface ChangeTrail {
  /** @param at of the volatile stream, above every one before */
  note(userId: UserId, at: number): void
  /** Who changed after a position, the last first; undefined when that is longer ago than is remembered. */
  since(volatile: number): UserId[] | undefined
}

/** @param limit how many changes are remembered at least */
export function createChangeTrail(limit: number): ChangeTrail {
  /** Oldest first; those up to `floor` are not among them. */
  let changes: { readonly at: number; readonly userId: UserId }[] = []
  let floor = 0
  return {
    note(userId, at) {
      changes.push({ at, userId })
      if (changes.length < 2 * limit) return
      floor = changes[limit - 1]!.at
      changes = changes.slice(limit)
    },
    since(volatile) {
      if (volatile < floor) return undefined
      const changed = new Set<UserId>()
      for (let at = changes.length - 1; at >= 0 && changes[at]!.at > volatile; at--) {
        changed.add(changes[at]!.userId)
      }
      return [...changed]
    },
  }
}
