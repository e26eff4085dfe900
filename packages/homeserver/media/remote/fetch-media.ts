// https://spec.matrix.org/v1.19/server-server-api/#content-repository
import type { Readable } from 'node:stream'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import {
  FederationError,
  type FederationClient,
  type FederationStream,
  type FetchUrl,
} from '../../federation/federation-client.ts'
import { cleanContentType, cleanFilename } from '../upload.ts'
import { parseFilename } from './parse-filename.ts'
import { boundaryOf, MultipartBroken, readSecondPart, type LastPart } from './multipart-reader.ts'

/** Content on its way from another server. */
export interface RemoteContent {
  readonly contentType: string
  readonly filename: string
  readonly source: AsyncIterable<Uint8Array>
  /** Lets go of the connection when the source is not read to its end. */
  readonly close: () => void
}

export interface MediaFetchDeps {
  readonly client: FederationClient
  /** GET of an https address that another server names: checked as those of servers are. */
  readonly fetchUrl: FetchUrl
}

/** For the whole of a file. */
const TRANSFER_MS = 180_000

/**
 * Opens media of another server: by the operation for servers, or, where that is not known there, by the one
 * that everybody could use before. @throws FederationError, MultipartBroken
 */
export async function openRemoteMedia(
  deps: MediaFetchDeps,
  server: ServerName,
  mediaId: string,
  waitMs: number,
): Promise<RemoteContent> {
  const timeoutMs = TRANSFER_MS + waitMs
  try {
    const stream = await deps.client.stream(server, {
      method: 'GET',
      path: `/_matrix/federation/v1/media/download/${mediaId}`,
      query: [['timeout_ms', String(waitMs)]],
      timeoutMs,
    })
    return await openParts(deps, server, stream)
  } catch (error) {
    if (!isUnknownOperation(error)) throw error
    return openLegacy(deps, server, mediaId, waitMs)
  }
}

/** A server from before version 1.11 of the specification; what refuses without an error of Matrix is older still. */
function isUnknownOperation(error: unknown): boolean {
  if (!(error instanceof FederationError) || error.failure.kind !== 'refused') return false
  const { status, errcode } = error.failure
  return errcode === 'M_UNRECOGNIZED' || (errcode === undefined && status >= 400 && status <= 499)
}

async function openLegacy(
  { client }: MediaFetchDeps,
  server: ServerName,
  mediaId: string,
  waitMs: number,
): Promise<RemoteContent> {
  const stream = await client.stream(server, {
    method: 'GET',
    path: `/_matrix/media/v3/download/${encodeURIComponent(server)}/${mediaId}`,
    // It must not ask us in turn.
    query: [
      ['allow_remote', 'false'],
      ['timeout_ms', String(waitMs)],
    ],
    timeoutMs: TRANSFER_MS + waitMs,
  })
  return plainContent(stream)
}

async function openParts(
  deps: MediaFetchDeps,
  server: ServerName,
  stream: FederationStream,
): Promise<RemoteContent> {
  const close = (): void => void stream.body.destroy()
  try {
    const boundary = boundaryOf(headerOf(stream, 'content-type'))
    if (boundary === undefined) throw new MultipartBroken('The answer has no parts')
    const part = await readSecondPart(withoutDestroy(stream.body), boundary)
    const location = part.headers.get('location')
    if (location !== undefined) {
      close()
      return await openElsewhere(deps, server, location)
    }
    return { ...describe(part), source: part.body, close }
  } catch (error) {
    close()
    throw error
  }
}

/** Whoever reads it closes it. */
function withoutDestroy(body: Readable): AsyncIterable<Uint8Array> {
  return body.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>
}

async function openElsewhere(
  { fetchUrl }: MediaFetchDeps,
  server: ServerName,
  location: string,
): Promise<RemoteContent> {
  const url = URL.canParse(location) ? new URL(location) : undefined
  if (url?.protocol !== 'https:') {
    throw new FederationError(
      server,
      { kind: 'malformed' },
      `${server} sends elsewhere, but to no https address`,
    )
  }
  const stream = await fetchUrl(url, TRANSFER_MS)
  if (stream.status >= 200 && stream.status <= 299) return plainContent(stream)
  stream.body.destroy()
  throw new FederationError(server, { kind: 'malformed' }, `${server} sends elsewhere, where it is not`)
}

function plainContent(stream: FederationStream): RemoteContent {
  return {
    contentType: cleanContentType(headerOf(stream, 'content-type')),
    filename: cleanFilename(parseFilename(headerOf(stream, 'content-disposition'))),
    source: withoutDestroy(stream.body),
    close: () => void stream.body.destroy(),
  }
}

function describe({ headers }: LastPart): Pick<RemoteContent, 'contentType' | 'filename'> {
  return {
    contentType: cleanContentType(headers.get('content-type')),
    filename: cleanFilename(parseFilename(headers.get('content-disposition'))),
  }
}

function headerOf({ headers }: FederationStream, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}
