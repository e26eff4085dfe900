/** Bounds how much of something heavy runs at once. */
export interface Slots {
  /**
   * Runs `fn` when a slot is free; others wait in order.
   * @throws SlotsFull when too many wait already
   */
  run<T>(fn: () => Promise<T>): Promise<T>
}

export class SlotsFull extends Error {
  override readonly name = 'SlotsFull'
}

/** @param maxWaiting how many may wait before further ones are refused */
export function createSlots(size: number, maxWaiting: number): Slots {
  let free = size
  const waiting: (() => void)[] = []
  return {
    async run(fn) {
      if (free > 0) free--
      else if (waiting.length >= maxWaiting) throw new SlotsFull('Too many are waiting')
      else await new Promise<void>((resolve) => waiting.push(resolve))
      try {
        return await fn()
      } finally {
        const next = waiting.shift()
        if (next === undefined) free++
        else next()
      }
    },
  }
}
