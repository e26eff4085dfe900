/** Something asked for, and whom to tell. */
export interface Asked<T, R> {
  readonly what: T
  readonly resolve: (result: R) => void
  readonly reject: (error: unknown) => void
}

/**
 * Collects what is asked for in one turn of the event loop, by key, and hands it on together when everything that
 * could run in that turn has run. It delays nothing: the network is not looked at before either.
 */
export class Gather<T, R> {
  readonly #groups = new Map<string, Asked<T, R>[]>()
  readonly #flush: (group: readonly Asked<T, R>[]) => void

  constructor(flush: (group: readonly Asked<T, R>[]) => void) {
    this.#flush = flush
  }

  ask(key: string, what: T): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      const asked = { what, resolve, reject }
      const group = this.#groups.get(key)
      if (group !== undefined) return void group.push(asked)
      // Runs when no promise is left to be continued: whoever else is under way has asked by then.
      if (this.#groups.size === 0) process.nextTick(() => this.#hand())
      this.#groups.set(key, [asked])
    })
  }

  #hand(): void {
    const groups = [...this.#groups.values()]
    this.#groups.clear()
    for (const group of groups) this.#flush(group)
  }
}
