import type { LogSink } from '@causeway/homeserver/ops/log-sink.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'

export interface StopWatch {
  /** Resolves once, with the name of the signal or the error that makes going on impossible. */
  readonly reason: Promise<NodeJS.Signals | Error>
  fail(error: Error): void
}

/** A terminal, npm and the wrapper each pass the same Ctrl-C on: what comes this soon after is the same request. */
const SAME_REQUEST_MS = 500

/**
 * Watches for SIGTERM and SIGINT. The first asks for an orderly stop; a second ends the process at once, for
 * whoever cannot wait for the orderly one.
 */
export function waitForStop(sink: Pick<LogSink, 'flush'>, clock: Pick<Clock, 'monotonic'>): StopWatch {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals | Error>()
  let askedAt: number | undefined
  const onSignal = (signal: NodeJS.Signals): void => {
    const now = clock.monotonic()
    if (askedAt !== undefined && now - askedAt < SAME_REQUEST_MS) return
    if (askedAt !== undefined) {
      sink.flush()
      process.exit(signal === 'SIGINT' ? 130 : 143)
    }
    askedAt = now
    resolve(signal)
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  return { reason: promise, fail: resolve }
}
