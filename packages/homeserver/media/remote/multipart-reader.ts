// https://www.rfc-editor.org/rfc/rfc2046#section-5.1

/** Header fields of a part, names in lower case; of fields that are repeated, the first. */
export type PartHeaders = ReadonlyMap<string, string>

/** A body of parts that is not what it says it is, or breaks off. */
export class MultipartBroken extends Error {
  override readonly name = 'MultipartBroken'
}

export interface LastPart {
  readonly headers: PartHeaders
  /** Fails with `MultipartBroken` when the body ends before the part does. */
  readonly body: AsyncIterable<Uint8Array>
}

/** What may stand before the content: a preamble, a few header lines, and metadata that is an empty object. */
const MAX_HEAD_BYTES = 64 * 1024
const MAX_BOUNDARY_LENGTH = 200

/** The boundary that a `multipart/mixed` content type names; undefined for any other type. */
export function boundaryOf(contentType: string | undefined): string | undefined {
  if (contentType === undefined || !/^multipart\/mixed\s*;/i.test(contentType)) return undefined
  const parts = /;\s*boundary=(?:"([^"]+)"|([^\s;"]+))/i.exec(contentType)
  const boundary = parts?.[1] ?? parts?.[2]
  return boundary === undefined || boundary.length > MAX_BOUNDARY_LENGTH ? undefined : boundary
}

/** Bytes that have come, and the way to more. */
class Window {
  readonly #source: AsyncIterator<Uint8Array>
  bytes: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** False at the end. */
  async more(): Promise<boolean> {
    const next = await this.#source.next()
    if (next.done === true) return false
    this.bytes = this.bytes.length === 0 ? Buffer.from(next.value) : Buffer.concat([this.bytes, next.value])
    return true
  }

  take(length: number): Buffer {
    const taken = this.bytes.subarray(0, length)
    this.bytes = this.bytes.subarray(length)
    return taken
  }

  /** Everything before a mark; the mark goes too. @throws MultipartBroken when it does not come soon */
  async before(mark: Buffer): Promise<Buffer> {
    let from = 0
    for (;;) {
      const at = this.bytes.indexOf(mark, from)
      if (at >= 0) {
        const taken = this.take(at)
        this.take(mark.length)
        return taken
      }
      if (this.bytes.length > MAX_HEAD_BYTES) throw new MultipartBroken('A part of the body is too long')
      from = Math.max(0, this.bytes.length - mark.length)
      if (!(await this.more())) throw new MultipartBroken('The body breaks off')
    }
  }

  /** Closes the source. */
  async end(): Promise<void> {
    await this.#source.return?.()
  }
}

const LINE_END = Buffer.from('\r\n')

/**
 * The second part of a body that has two, as media come from other servers: the first, metadata, is passed over.
 * Never holds more than the head of the body and a chunk of it. @throws MultipartBroken
 */
export async function readSecondPart(source: AsyncIterable<Uint8Array>, boundary: string): Promise<LastPart> {
  const window = new Window(source)
  // The first delimiter may stand at the very beginning, where no line ends before it.
  window.bytes = Buffer.from(LINE_END)
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1')
  await window.before(delimiter)
  await readHeaders(window)
  await window.before(delimiter)
  const headers = await readHeaders(window)
  return { headers, body: readBody(window, delimiter) }
}

async function readHeaders(window: Window): Promise<PartHeaders> {
  const rest = (await window.before(LINE_END)).toString('latin1')
  if (rest.trim() !== '') throw new MultipartBroken('The body has fewer parts than it should')
  const headers = new Map<string, string>()
  let bytes = 0
  for (;;) {
    const line = (await window.before(LINE_END)).toString('utf8')
    bytes += line.length
    if (line === '') return headers
    if (bytes > MAX_HEAD_BYTES) throw new MultipartBroken('The header of a part is too long')
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).trim().toLowerCase()
    if (colon > 0 && !headers.has(name)) headers.set(name, line.slice(colon + 1).trim())
  }
}

async function* readBody(window: Window, delimiter: Buffer): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const at = window.bytes.indexOf(delimiter)
      if (at >= 0) {
        if (at > 0) yield window.take(at)
        return
      }
      // The end of what is here may be the beginning of a delimiter.
      const safe = window.bytes.length - delimiter.length
      if (safe > 0) yield window.take(safe)
      if (!(await window.more())) throw new MultipartBroken('The body breaks off')
    }
  } finally {
    await window.end()
  }
}
