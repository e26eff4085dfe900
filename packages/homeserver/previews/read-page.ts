import type { Clock } from '@causeway/store/clock/clock.ts'
import type { OutgoingAnswer } from '../outgoing/outgoing.ts'
import { createPageReader, type PageFacts } from './page-facts.ts'
import { SNIFFED_BYTES, sniffEncoding } from './page-charset.ts'
import { unpack } from './unpack.ts'

/** So much of a page is read, decompressed; what stands behind it is not missed by anybody. */
const MAX_PAGE_BYTES = 1024 * 1024
/** So much is parsed before others get their turn: one to two milliseconds of work. */
const SLICE_BYTES = 8 * 1024

/** Pieces of at most `SLICE_BYTES`, the first of them large enough to tell the encoding; `MAX_PAGE_BYTES` in all. */
async function* sliced(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head: Uint8Array[] | undefined = []
  let held = 0
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (head !== undefined) {
      head.push(chunk)
      held += chunk.length
      if (held < SNIFFED_BYTES) continue
    }
    const ready: Uint8Array = head === undefined ? chunk : Buffer.concat(head)
    head = undefined
    for (let at = 0; at < ready.length; at += SLICE_BYTES) yield ready.subarray(at, at + SLICE_BYTES)
    if (size >= MAX_PAGE_BYTES) return
  }
  if (head !== undefined && held > 0) yield Buffer.concat(head)
}

/**
 * What a page says of itself. Read is at most 1 MiB, and no more than is needed; a page that breaks off or drips
 * until its time is over has said what it has said. @throws the error of a body of which nothing came
 */
export async function readPage(answer: OutgoingAnswer, clock: Pick<Clock, 'defer'>): Promise<PageFacts> {
  const body = unpack(answer)
  const reader = createPageReader()
  let decoder: TextDecoder | undefined
  try {
    for await (const slice of sliced(body)) {
      decoder ??= new TextDecoder(sniffEncoding(slice, answer.headers['content-type']))
      if (!reader.write(decoder.decode(slice, { stream: true }))) break
      await new Promise<void>((resolve) => clock.defer(resolve))
    }
  } catch (error) {
    if (decoder === undefined) throw error
  } finally {
    body.destroy()
  }
  return reader.end()
}
