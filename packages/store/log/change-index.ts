/**
 * When each key (user, room) last changed, for a bounded number of keys: a reader who asks about few keys
 * learns without a query that nothing happened to them.
 */
export interface ChangeIndex {
  /** `key` changed at `position`, which is not below any noted before. */
  note(key: string, position: number): void
  /** Changes up to `position` may have been missed. */
  raiseFloor(position: number): void
  /** Whether `key` may have changed after `since`. True also when `since` lies before what is known. */
  mayHaveChanged(key: string, since: number): boolean
  /** The last change of `key`; undefined when it is not known, and then it is not after `floor()`. */
  lastChange(key: string): number | undefined
  /** Position of the last change of any key; the floor when there was none. */
  last(): number
  /** Every change after this position is known. */
  floor(): number
  size(): number
}

/**
 * @param limit keys held; when there is one more, the one that changed longest ago goes and the floor rises to it.
 * @param floor position from which on changes will be noted.
 */
export function createChangeIndex(limit: number, floor: number): ChangeIndex {
  /** Ordered by position, because a change moves its key to the end. */
  const changes = new Map<string, number>()
  let known = floor
  let last = floor
  return {
    note(key, position) {
      changes.delete(key)
      changes.set(key, position)
      last = position
      if (changes.size <= limit) return
      const [oldest, at] = changes.entries().next().value!
      changes.delete(oldest)
      known = Math.max(known, at)
    },
    raiseFloor(position) {
      known = Math.max(known, position)
      last = Math.max(last, position)
    },
    mayHaveChanged: (key, since) => since < known || (changes.get(key) ?? known) > since,
    lastChange: (key) => changes.get(key),
    last: () => last,
    floor: () => known,
    size: () => changes.size,
  }
}
