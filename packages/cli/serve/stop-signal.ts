import type { LogSink } from '@causeway/homeserver/ops/log-sink.ts'

export interface StopWatch {
  /** Resolves once, with the name of the signal or the error that makes going on impossible. */
  readonly reason: Promise<NodeJS.Signals | Error>
  fail(error: Error): void
}

/**
 * Watches for SIGTERM and SIGINT. The first asks for an orderly stop; a second ends the process at once, for
 * whoever cannot wait for the orderly one.
 */
export function waitForStop(sink: Pick<LogSink, 'flush'>): StopWatch {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals | Error>()
  let asked = false
  const onSignal = (signal: NodeJS.Signals): void => {
    if (asked) {
      sink.flush()
      process.exit(signal === 'SIGINT' ? 130 : 143)
    }
    asked = true
    resolve(signal)
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  return { reason: promise, fail: resolve }
}
