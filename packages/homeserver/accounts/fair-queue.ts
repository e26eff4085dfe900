/** Runs a few tasks at a time; those who wait take turns by key, so that nobody's crowd holds up the others. */
export interface FairQueue {
  /** Runs `task` in its turn. Rejects with `QueueFull` when too many wait. */
  run<T>(key: string, task: () => Promise<T>): Promise<T>
  /** Tasks that wait for their turn. */
  waiting(): number
}

/** So many wait that a new one would hardly get its turn. */
export class QueueFull extends Error {
  override readonly name = 'QueueFull'
}

/**
 * @param atOnce tasks that run at the same time
 * @param maxWaiting tasks that may wait, of all keys; a key may have a quarter of them
 */
export function createFairQueue(atOnce: number, maxWaiting: number): FairQueue {
  /** In the order of turns: a key that had its turn goes to the end. */
  const lines = new Map<string, (() => void)[]>()
  const perKey = Math.ceil(maxWaiting / 4)
  let running = 0
  let waiting = 0

  function next(): void {
    const first = lines.entries().next().value
    if (first === undefined) {
      running--
      return
    }
    const [key, line] = first
    const start = line.shift()!
    lines.delete(key)
    if (line.length > 0) lines.set(key, line)
    waiting--
    start()
  }

  function turn(key: string): Promise<void> {
    if (running < atOnce) {
      running++
      return Promise.resolve()
    }
    const line = lines.get(key) ?? []
    if (waiting >= maxWaiting || line.length >= perKey) return Promise.reject(new QueueFull())
    return new Promise((resolve) => {
      line.push(resolve)
      lines.set(key, line)
      waiting++
    })
  }

  return {
    async run(key, task) {
      await turn(key)
      try {
        return await task()
      } finally {
        next()
      }
    },
    waiting: () => waiting,
  }
}
