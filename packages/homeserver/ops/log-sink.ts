import { write, writeSync } from 'node:fs'

/** Takes lines and writes them to a file descriptor in the background. */
export interface LogSink {
  write(line: string): void
  /** Writes what waits, at once: for the last words of a process. */
  flush(): void
}

/** Bytes (UTF-16 units, near enough) that may wait; beyond it lines are counted instead of kept. */
const MAX_WAITING = 4 * 1024 * 1024

/**
 * A sink on `fd` that never makes the caller wait: a reader that stands still (a full pipe) costs lines, which
 * are counted and reported, and never the event loop.
 */
export function createLogSink(fd: number): LogSink {
  let waiting = ''
  let dropped = 0
  let inFlight = ''
  const pump = (): void => {
    if (inFlight !== '' || waiting === '') return
    inFlight = waiting
    waiting = ''
    const bytes = Buffer.from(inFlight)
    const step = (offset: number): void => {
      write(fd, bytes, offset, bytes.length - offset, null, (error, written) => {
        // A closed pipe: nobody listens any more, so the lines have no other place to go.
        if (error !== null && (error as NodeJS.ErrnoException).code !== 'EAGAIN')
          written = bytes.length - offset
        if (inFlight === '') return
        if (offset + written < bytes.length) {
          step(offset + written)
          return
        }
        inFlight = ''
        pump()
      })
    }
    step(0)
  }
  return {
    write: (line) => {
      if (waiting.length + line.length > MAX_WAITING) {
        dropped += 1
        return
      }
      if (dropped > 0) {
        waiting += `{"level":"warn","message":"log lines dropped: the reader is too slow","count":${dropped}}\n`
        dropped = 0
      }
      waiting += line
      pump()
    },
    flush: () => {
      const rest = waiting
      waiting = ''
      if (rest === '') return
      try {
        writeSync(fd, rest)
      } catch {
        // The last words have no listener; there is nothing left to tell it to.
      }
    },
  }
}
