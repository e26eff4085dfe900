/**
 * Time and chance are arguments (law 8): everything that needs the time, a timer or a random value is handed
 * these two, so that a simulation can own them and replay a run from a seed.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch, wall clock: what goes into `origin_server_ts`. */
  now(): number
  /** Milliseconds from an arbitrary origin that never goes back: for measuring durations. */
  monotonic(): number
  /** Calls `fn` once after `ms` milliseconds. The timer does not keep the process alive when `unref` is set. */
  setTimeout(fn: () => void, ms: number, options?: { unref?: boolean }): Timer
  /** Resolves after `ms` milliseconds, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls `fn` in a later turn of the event loop: for breaking up long work. */
  defer(fn: () => void): void
}

/** A pending call of `Clock.setTimeout`. */
export interface Timer {
  cancel(): void
}

export interface Random {
  /** `size` random bytes, fit for keys and tokens. */
  bytes(size: number): Uint8Array
  /** A random string of `length` characters of [A-Za-z0-9], fit for ids and tokens (5.95 bits a character). */
  token(length: number): string
  /** A number in [0, 1), for jitter; not for secrets. */
  fraction(): number
}
