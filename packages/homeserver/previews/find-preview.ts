import { MatrixError, limitExceeded } from '@causeway/matrix/errors/matrix-error.ts'
import { findUrlPreview, setUrlPreview, type UrlPreviewRow } from '@causeway/store/tables/url-previews.ts'
import { SlotsFull } from '@causeway/store/cache/slots.ts'
import { parsePageUrl } from './allowed-urls.ts'
import { PageFailed } from './fetch-url.ts'
import type { MakeDeps } from './make-preview.ts'

/** A failure is believed for so long, and the page is not asked again. */
const FAILURE_MS = 300_000
const RETRY_MS = 5_000
const BAD_GATEWAY = 502

/**
 * The preview of a page: what is kept, or fetched now and kept for everybody. Where the page fails, the one before
 * is answered as long as it is there. Throws `M_INVALID_PARAM`; `M_FORBIDDEN` for what the operator does not want;
 * `M_UNKNOWN` (502) where the page could not be fetched, a moment later the same again; `M_LIMIT_EXCEEDED` when too
 * many are waited for.
 * @param languages see `readLanguages`
 * @returns a JSON object
 */
export async function findPreview(hs: MakeDeps, address: string, languages: string): Promise<string> {
  const url = parsePageUrl(address)
  const held = await findUrlPreview(hs.db, url.href, languages)
  const fresh = freshBody(hs, held)
  if (fresh !== undefined) return fresh
  try {
    return await fetchOnce(hs, url, languages)
  } catch (error) {
    if (held !== undefined && error instanceof MatrixError && error.errcode === 'M_UNKNOWN') return held.body
    throw error
  }
}

function freshBody({ clock }: MakeDeps, row: UrlPreviewRow | undefined): string | undefined {
  return row !== undefined && row.expires_ts > clock.now() ? row.body : undefined
}

function fetchOnce(hs: MakeDeps, url: URL, languages: string): Promise<string> {
  const key = `${languages} ${url.href}`
  const failure = hs.previews.failures.get(key)
  if (failure !== undefined && failure.until > hs.clock.monotonic()) return Promise.reject(failure.error)
  return hs.previews.flights.run(key, async () => {
    try {
      // Looked at once more: a fetch that was under way may have ended between the look and now.
      const held = await findUrlPreview(hs.db, url.href, languages)
      const fresh = freshBody(hs, held)
      if (fresh !== undefined) return fresh
      return await hs.previews.slots.run(() => makeAndKeep(hs, url, languages, held))
    } catch (error) {
      throw remember(hs, url, key, error)
    }
  })
}

async function makeAndKeep(
  hs: MakeDeps,
  url: URL,
  languages: string,
  held: UrlPreviewRow | undefined,
): Promise<string> {
  // Reading pages takes a parser, which a server has no need of until somebody asks.
  const { makePreview } = await import('./make-preview.ts')
  const made = await makePreview(hs, { url, languages, earlierMediaId: held?.media_id ?? '' })
  const body = JSON.stringify(made.body)
  const row = { url: url.href, language: languages, expires_ts: made.expiresTs, body, media_id: made.mediaId }
  await hs.log.append({ entries: [], steps: [setUrlPreview(row)] })
  return body
}

/** What clients are told, now and for a moment; faults of ours are no failures of the page. */
function remember(hs: MakeDeps, url: URL, key: string, error: unknown): unknown {
  if (error instanceof SlotsFull) return limitExceeded(RETRY_MS)
  const told = errorFor(error)
  if (told === undefined) return error
  hs.logger.debug('a page could not be fetched for a preview', { host: url.host, error })
  hs.previews.failures.set(key, { error: told, until: hs.clock.monotonic() + FAILURE_MS })
  return told
}

function errorFor(error: unknown): MatrixError | undefined {
  if (error instanceof MatrixError) return error
  if (!(error instanceof PageFailed)) return undefined
  return new MatrixError('M_UNKNOWN', 'This page could not be fetched', { status: BAD_GATEWAY })
}
