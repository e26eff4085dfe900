import { isUtf8 } from 'node:buffer'

const NEWLINE = 0x0a
const RETURN = 0x0d
const legacy = new TextDecoder('windows-1252')

/** Bytes that are no UTF-8 are read as Windows-1252, the code old clients still write. */
function decode(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString('utf8') : legacy.decode(bytes)
}

/** Cuts a stream of bytes into lines. Holds at most `limit` bytes: a longer line is skipped and counted. */
export class LineReader {
  /** Longest line in bytes, line end included; may be raised when the server says LINELEN. */
  limit: number
  /** Lines skipped for their length. */
  skipped = 0
  #held: Buffer[] = []
  #heldBytes = 0
  #skipping = false

  constructor(limit: number) {
    this.limit = limit
  }

  /** Takes the next bytes and calls `onLine` for each line completed, without its line end; empty lines are left out. */
  push(chunk: Buffer, onLine: (line: string) => void): void {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const line = this.#take(chunk.subarray(start, end))
      if (line !== undefined && line !== '') onLine(line)
      start = end + 1
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start))
  }

  #hold(bytes: Buffer): void {
    if (this.#skipping) return
    this.#heldBytes += bytes.length
    if (this.#heldBytes >= this.limit) {
      this.#skipping = true
      this.#held = []
      return
    }
    // A copy: a slice would keep the socket's whole 64 KiB buffer alive.
    this.#held.push(Buffer.from(bytes))
  }

  #take(bytes: Buffer): string | undefined {
    const tooLong = this.#skipping || this.#heldBytes + bytes.length >= this.limit
    const whole = this.#held.length === 0 ? bytes : Buffer.concat([...this.#held, bytes])
    this.#held = []
    this.#heldBytes = 0
    this.#skipping = false
    if (tooLong) {
      this.skipped++
      return undefined
    }
    return decode(whole.at(-1) === RETURN ? whole.subarray(0, -1) : whole)
  }
}
