import type { IncomingMessage } from 'node:http'
import { MatrixError, tooLarge } from '@causeway/matrix/errors/matrix-error.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'

/** The default for JSON bodies: an event is at most 64 KiB, and escapes may double what is sent. */
export const DEFAULT_MAX_BODY_BYTES = 128 * 1024
/** What is still read (and thrown away) of a body that is too large, so that the sender reads our answer. */
const MAX_DISCARDED_BYTES = 32 * 1024 * 1024
/** A JSON body that takes longer than this is given up: whoever drips it holds a connection. */
const BODY_TIMEOUT_MS = 30_000

export type BodyTimer = Pick<Clock, 'setTimeout'>

function refuseSize(maxBytes: number): MatrixError {
  return tooLarge(`The body is larger than the ${maxBytes} bytes this takes`)
}

/** `read` hands out one packet at a time, mostly the only one. */
function readBuffered(request: IncomingMessage): Uint8Array {
  const first = request.read() as Buffer | null
  if (first === null) return new Uint8Array()
  const chunks = [first]
  for (let next = request.read() as Buffer | null; next !== null; next = request.read() as Buffer | null) {
    chunks.push(next)
  }
  return chunks.length === 1 ? first : Buffer.concat(chunks)
}

/**
 * The whole body, at most `maxBytes` long.
 * @throws MatrixError M_TOO_LARGE; M_CONNECTION_TIMEOUT (408) when it takes longer than half a minute;
 * M_NOT_JSON when the connection ends within it.
 */
export async function readBody(
  request: IncomingMessage,
  maxBytes: number,
  timer: BodyTimer,
): Promise<Uint8Array> {
  const announced = request.headers['content-length']
  if (announced !== undefined && Number(announced) > maxBytes + MAX_DISCARDED_BYTES)
    throw refuseSize(maxBytes)
  if (request.complete) {
    // The usual case: everything came in one packet with the headers and lies in the stream's buffer.
    const all = readBuffered(request)
    if (all.length > maxBytes) throw refuseSize(maxBytes)
    return all
  }
  return await collect(request, maxBytes, timer)
}

function collect(request: IncomingMessage, maxBytes: number, timer: BodyTimer): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const finish = (end: () => void): void => {
      timeout.cancel()
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose)
      end()
    }
    const onData = (chunk: Buffer): void => {
      size += chunk.length
      if (size <= maxBytes) chunks.push(chunk)
      else {
        chunks.length = 0
        if (size > maxBytes + MAX_DISCARDED_BYTES) finish(() => reject(refuseSize(maxBytes)))
      }
    }
    const onEnd = (): void =>
      finish(() => (size > maxBytes ? reject(refuseSize(maxBytes)) : resolve(Buffer.concat(chunks, size))))
    const onClose = (): void =>
      finish(() => reject(new MatrixError('M_NOT_JSON', 'The connection ended within the body')))
    const timeout = timer.setTimeout(
      () =>
        finish(() =>
          reject(new MatrixError('M_CONNECTION_TIMEOUT', 'The body did not arrive in time', { status: 408 })),
        ),
      BODY_TIMEOUT_MS,
      { unref: true },
    )
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose)
  })
}

/**
 * Reads what is left of a body and throws it away, so that the sender, who may read only after it wrote, reads
 * our answer instead of a broken connection.
 * @returns false when more than 32 MiB or half a minute were not enough, or the sender went away
 */
export async function discardRest(request: IncomingMessage, timer: BodyTimer): Promise<boolean> {
  try {
    await readBody(request, 0, timer)
    return true
  } catch (error) {
    return request.complete && error instanceof MatrixError && error.errcode === 'M_TOO_LARGE'
  }
}
