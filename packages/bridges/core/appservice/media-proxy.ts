import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { parseMediaLink } from './media-links.ts'

export interface MediaProxyOptions {
  readonly baseUrl: string
  readonly asToken: string
  readonly key: Uint8Array
  readonly clock: Clock
  readonly fetch: typeof globalThis.fetch
}

/** Types a browser may show at once; anything else is downloaded, so that nothing runs in our name. */
const SHOWN =
  /^(?:image\/(?:png|jpeg|gif|webp)|video\/(?:mp4|webm)|audio\/(?:mpeg|ogg|mp4|wav)|text\/plain)(?:;|$)/

/**
 * Serves files of a homeserver elsewhere to people without an account, by links that we gave out and that end.
 * Returns the handler for `startAppserviceListener`.
 */
export function createMediaProxy(options: MediaProxyOptions) {
  const { baseUrl, asToken, key, clock } = options
  return async (path: string, response: ServerResponse): Promise<boolean> => {
    const file = parseMediaLink(key, path, clock.now())
    if (file === undefined) return false
    const name = `${encodeURIComponent(file.serverName)}/${encodeURIComponent(file.mediaId)}`
    const found = await options.fetch(`${baseUrl}/_matrix/client/v1/media/download/${name}`, {
      headers: { authorization: `Bearer ${asToken}` },
    })
    if (!found.ok || found.body === null) {
      response.writeHead(404).end('This file is gone.')
      return true
    }
    const type = found.headers.get('content-type') ?? 'application/octet-stream'
    const length = found.headers.get('content-length')
    response.writeHead(200, {
      'content-type': SHOWN.test(type) ? type : 'application/octet-stream',
      ...(length === null ? {} : { 'content-length': length }),
      'content-disposition': SHOWN.test(type) ? 'inline' : 'attachment',
      'content-security-policy': "sandbox; default-src 'none'; media-src 'self'; img-src 'self'",
      'x-content-type-options': 'nosniff',
      'cache-control': 'private, max-age=3600',
    })
    await pipeline(Readable.fromWeb(found.body as ReadableStream), response)
    return true
  }
}
