/** One ordered queue per key: rooms, portals, destinations (law 3). Keys that are idle cost nothing. */
export interface KeyedQueue<K> {
  /**
   * Runs `fn` when everything queued before it for `key` has ended (at once when there is nothing); other
   * keys run beside it. Its result or failure is the caller's alone. A task that awaits its own key's queue
   * never ends: don't.
   */
  serial<T>(key: K, fn: () => T | Promise<T>): Promise<T>
  /** Tasks waiting or running for `key`. */
  depth(key: K): number
  /** Keys that have any task. */
  size(): number
  /** Resolves when no key has any task. */
  idle(): Promise<void>
}

type Task = () => Promise<void>

/** `next` is the first of `tasks` that has not ended; what lies before it is cut off now and then. */
interface Queue {
  tasks: (Task | undefined)[]
  next: number
}

/** Ended tasks kept at the front of a list before it is moved up: shifting for each would cost O(n²). */
const ENDED_KEPT = 64

/** `ended` is called in the same turn as the last look at the list, or a task queued in between would be lost. */
async function runAll(queue: Queue, ended: () => void): Promise<void> {
  while (queue.next < queue.tasks.length) {
    await queue.tasks[queue.next]!()
    queue.tasks[queue.next++] = undefined
    if (queue.next < ENDED_KEPT || queue.next * 2 < queue.tasks.length) continue
    queue.tasks = queue.tasks.slice(queue.next)
    queue.next = 0
  }
  ended()
}

export function createKeyedQueue<K>(): KeyedQueue<K> {
  /** A key is here exactly while it has tasks. */
  const queues = new Map<K, Queue>()
  let idleWaiters: (() => void)[] = []

  function end(key: K): void {
    queues.delete(key)
    if (queues.size > 0) return
    const waiters = idleWaiters
    idleWaiters = []
    for (const wake of waiters) wake()
  }

  function enqueue(key: K, task: Task): void {
    const queue = queues.get(key)
    if (queue !== undefined) {
      queue.tasks.push(task)
      return
    }
    const started: Queue = { tasks: [task], next: 0 }
    queues.set(key, started)
    void runAll(started, () => end(key))
  }

  return {
    serial: <T>(key: K, fn: () => T | Promise<T>) =>
      new Promise<T>((resolve, reject) => {
        enqueue(key, async () => {
          try {
            resolve(await fn())
          } catch (error) {
            reject(error)
          }
        })
      }),
    depth: (key) => {
      const queue = queues.get(key)
      return queue === undefined ? 0 : queue.tasks.length - queue.next
    },
    size: () => queues.size,
    idle: () => (queues.size === 0 ? Promise.resolve() : new Promise((resolve) => idleWaiters.push(resolve))),
  }
}
