import type { Readable } from 'node:stream'

/** The answer is longer than anybody wants to read. */
export class AnswerTooLong extends Error {
  override readonly name = 'AnswerTooLong'
}

/**
 * The whole of a body that is at most `maxBytes` long.
 * @throws AnswerTooLong; then the rest is left unread and its connection closed. The stream's own error.
 */
export async function readBody(body: Readable, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > maxBytes) {
      body.destroy()
      throw new AnswerTooLong(`The answer is longer than ${maxBytes} bytes`)
    }
    chunks.push(chunk)
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)
}
