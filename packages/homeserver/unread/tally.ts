import type { UnreadCount, UnreadCounts } from './counts.ts'
import { MAIN } from './event-steps.ts'

/** What is counted of the main timeline or of one thread. */
interface Scope {
  notify: number
  highlight: number
  /** A number that no counted event of the scope is above. */
  last: number
}

/** What one event adds. */
export interface Weight {
  readonly notify: boolean
  readonly highlight: boolean
}

/** Unread messages by thread, to be advanced event by event. */
export class Tally {
  readonly #scopes: Map<string, Scope>

  constructor(scopes: ReadonlyMap<string, Scope> = new Map()) {
    this.#scopes = new Map([...scopes].map(([threadId, scope]) => [threadId, { ...scope }]))
  }

  copy(): Tally {
    return new Tally(this.#scopes)
  }

  /** Threads with something unread, the main timeline too. */
  size(): number {
    return this.#scopes.size
  }

  /** @param threadId a thread's root, or `main` */
  add(threadId: string, nid: number, notify: number, highlight: number): void {
    if (notify === 0 && highlight === 0) return
    const scope = this.#scopes.get(threadId) ?? { notify: 0, highlight: 0, last: nid }
    scope.notify += notify
    scope.highlight += highlight
    scope.last = Math.max(scope.last, nid)
    if (scope.notify === 0 && scope.highlight === 0) this.#scopes.delete(threadId)
    else this.#scopes.set(threadId, scope)
  }

  count(threadId: string, nid: number, weight: Weight): void {
    this.add(threadId, nid, weight.notify ? 1 : 0, weight.highlight ? 1 : 0)
  }

  /**
   * Everything up to `nid` was read, of one thread or (empty) of all. False when only some of it was, so that
   * it has to be counted anew.
   */
  readUpTo(threadId: string, nid: number): boolean {
    const scopes = threadId === '' ? [...this.#scopes.keys()] : [threadId]
    for (const name of scopes) {
      const scope = this.#scopes.get(name)
      if (scope === undefined) continue
      if (scope.last > nid) return false
      this.#scopes.delete(name)
    }
    return true
  }

  counts(separateThreads: boolean): UnreadCounts {
    const threads = new Map<string, UnreadCount>()
    let notify = 0
    let highlight = 0
    for (const [threadId, scope] of this.#scopes) {
      if (separateThreads && threadId !== MAIN) {
        threads.set(threadId, { notify: scope.notify, highlight: scope.highlight })
        continue
      }
      notify += scope.notify
      highlight += scope.highlight
    }
    return { main: { notify, highlight }, threads }
  }
}
