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

/** Never says anything, until the one who asks gives up. */
export const silence: EvilAnswer = { raw: () => undefined }

/** A byte now and then, and never the end. */
export function drip(start: string, everyMs: number): EvilAnswer {
  return {
    raw: (response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write(start)
      const timer = setInterval(() => response.write(' '), everyMs)
      response.once('close', () => clearInterval(timer))
    },
  }
}
