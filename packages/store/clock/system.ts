import { randomBytes } from 'node:crypto'
import type { Clock, Random, Timer } from './clock.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

function startTimer(fn: () => void, ms: number, options?: { unref?: boolean }): Timer {
  const handle = setTimeout(fn, ms)
  if (options?.unref === true) handle.unref()
  return { cancel: () => clearTimeout(handle) }
}

/** The machine's clock. The only place in the product that reads it. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: startTimer,
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason)
        return
      }
      const abort = (): void => {
        timer.cancel()
        reject(signal?.reason)
      }
      const timer = startTimer(() => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }, ms)
      signal?.addEventListener('abort', abort, { once: true })
    }),
  defer: (fn) => void setImmediate(fn),
}

/** The machine's source of chance. */
export const systemRandom: Random = {
  bytes: (size) => new Uint8Array(randomBytes(size)),
  token: (length) => {
    let out = ''
    while (out.length < length) {
      for (const byte of randomBytes(length - out.length + 16)) {
        // 248 = 4 × 62: values above would favour the first letters.
        if (byte < 248 && out.length < length) out += ALPHABET[byte % 62]
      }
    }
    return out
  },
  fraction: () => Math.random(),
}

/** Measures how busy the event loop is: each call answers the share (from 0 to 1) of the time since the one before. */
export function systemLoopMeter(): () => number {
  let before = performance.eventLoopUtilization()
  return () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    before = now
    return utilization
  }
}
