import type { EvilAnswer } from './evil-server.ts'

/** What an endless answer is in the end, should nobody hang up: far beyond every limit. */
const END_BYTES = 24 * 1024 * 1024

/** An answer that goes on and on. */
export function endless(start: string): EvilAnswer {
  return {
    raw: (response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write(start)
      const chunk = 'x'.repeat(64 * 1024)
      let sent = 0
      const more = (): void => {
        while (sent < END_BYTES && !response.destroyed) {
          sent += chunk.length
          if (!response.write(chunk)) {
            response.once('drain', more)
            return
          }
        }
        response.end()
      }
      more()
    },
  }
}

export function redirect(location: string): EvilAnswer {
  return { raw: (response) => void response.writeHead(302, { location }).end() }
}

/** A byte now and then, and never the end, but that the connection breaks off on the signal. */
export function drip(start: string, everyMs: number, stop: AbortSignal): EvilAnswer {
  return {
    raw: (response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write(start)
      const timer = setInterval(() => response.write(' '), everyMs)
      const breakOff = (): void => void response.destroy()
      stop.addEventListener('abort', breakOff, { once: true })
      response.once('close', () => {
        clearInterval(timer)
        stop.removeEventListener('abort', breakOff)
      })
      if (stop.aborted) breakOff()
    },
  }
}
