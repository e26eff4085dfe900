import type { UserId } from '@causeway/matrix/ids/ids.ts'

/** An answer on its way, which may be overtaken by news of the very users that it is about. */
export interface Fetch extends Disposable {
  /** Whether nothing was heard of the user since the fetch began. */
  isCurrent(userId: UserId): boolean
}

/** Knows which answers under way are outdated before they have come. */
export interface FetchWatch {
  begin(): Fetch
  /** The user's devices changed, or nobody of ours shares a room with them any more. */
  outdate(userId: UserId): void
}

export function createFetchWatch(): FetchWatch {
  const underWay = new Set<Set<UserId>>()
  return {
    begin() {
      const outdated = new Set<UserId>()
      underWay.add(outdated)
      return {
        isCurrent: (userId) => !outdated.has(userId),
        [Symbol.dispose]: () => void underWay.delete(outdated),
      }
    },
    outdate(userId) {
      for (const outdated of underWay) outdated.add(userId)
    },
  }
}
