import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Homeserver } from '../homeserver.ts'
import type { UploadDeps } from '../media/upload.ts'
import type { FollowedAnswer } from '../outgoing/get-following.ts'
import { readBody } from '../outgoing/read-body.ts'
import {
  baseOf,
  buildPreview,
  findImageUrl,
  imageProperties,
  wantsOembed,
  webAddress,
  type PreviewImage,
} from './build-preview.ts'
import { PageFailed } from './fetch-url.ts'
import { parseOembed, type OembedFacts } from './oembed.ts'
import type { PageFacts } from './page-facts.ts'
import { shorten } from './page-text.ts'
import { keepImage } from './preview-image.ts'
import { readPage } from './read-page.ts'
import { unpack } from './unpack.ts'

export type MakeDeps = UploadDeps & Pick<Homeserver, 'previews' | 'logger'>

export interface PreviewWish {
  readonly url: URL
  /** See `readLanguages`. */
  readonly languages: string
  /** The picture of the preview before this one; empty for none. */
  readonly earlierMediaId: string
}

export interface MadePreview {
  readonly body: JsonObject
  /** Its picture, a row of media; empty for none. */
  readonly mediaId: string
  readonly expiresTs: number
}

const PAGE_MS = 15_000
const OEMBED_MS = 5_000
const OEMBED_BYTES = 256 * 1024
const IMAGE_MS = 15_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** A picture that could not be fetched is tried again soon. */
const PARTIAL_MS = 600_000
/** Pictures are kept so much longer than their preview: somebody may have been shown it just now. */
const IMAGE_KEPT_MS = 2 * DAY_MS
const PAGE_TYPES = 'text/html,application/xhtml+xml,image/webp,image/*;q=0.8,*/*;q=0.5'

/**
 * Fetches a page, or a picture, and what belongs to it. A picture that fails leaves a preview without it.
 * @throws PageFailed; MatrixError `M_FORBIDDEN` for what the operator does not want fetched
 */
export async function makePreview(hs: MakeDeps, wish: PreviewWish): Promise<MadePreview> {
  const { url, languages } = wish
  const answer = await hs.previews.fetch({ url, languages, accept: PAGE_TYPES, timeoutMs: PAGE_MS })
  const expiresTs = hs.clock.now() + freshFor(answer)
  const type = (answer.headers['content-type'] ?? 'text/html').split(';', 1)[0]!.trim().toLowerCase()
  if (type.startsWith('image/')) return ofPicture(hs, wish, answer, expiresTs)
  if (type === 'text/html' || type === 'application/xhtml+xml') return ofPage(hs, wish, answer, expiresTs)
  answer.body.destroy()
  return { body: {}, mediaId: '', expiresTs }
}

/** How long an answer is good, by what it says itself: an hour to a day. */
function freshFor({ headers }: FollowedAnswer): number {
  const seconds = Number(/(?:^|[,\s])max-age=(\d{1,9})/i.exec(headers['cache-control'] ?? '')?.[1] ?? 0)
  return Math.min(DAY_MS, Math.max(HOUR_MS, seconds * 1000))
}

async function ofPage(
  hs: MakeDeps,
  wish: PreviewWish,
  answer: FollowedAnswer,
  expiresTs: number,
): Promise<MadePreview> {
  const facts = await readPage(answer, hs.clock).catch((cause: unknown) => {
    throw new PageFailed(`${answer.url.host} broke off`, { cause })
  })
  const oembed = wantsOembed(facts) ? await fetchOembed(hs, wish, facts, answer.url) : undefined
  const body = buildPreview(facts, oembed)
  const imageUrl = findImageUrl(facts, oembed, answer.url)
  if (imageUrl === undefined) return { body, mediaId: '', expiresTs }
  const image = await tryImage(hs, wish, imageUrl, expiresTs)
  if (image !== undefined) return withImage(body, image, expiresTs)
  return { body, mediaId: '', expiresTs: Math.min(expiresTs, hs.clock.now() + PARTIAL_MS) }
}

function withImage(body: JsonObject, image: PreviewImage, expiresTs: number): MadePreview {
  return { body: { ...body, ...imageProperties(image) }, mediaId: image.mediaId, expiresTs }
}

async function fetchOembed(
  hs: MakeDeps,
  { languages }: PreviewWish,
  facts: PageFacts,
  pageUrl: URL,
): Promise<OembedFacts | undefined> {
  const url = webAddress(facts.oembed, baseOf(facts, pageUrl))
  if (url === undefined) return undefined
  try {
    const request = { url, languages, accept: 'application/json', timeoutMs: OEMBED_MS }
    const answer = await hs.previews.fetch(request)
    return parseOembed(Buffer.from(await readBody(unpack(answer), OEMBED_BYTES)).toString())
  } catch (error) {
    hs.logger.debug('the oEmbed document of a page was of no use', { host: url.host, error })
    return undefined
  }
}

async function tryImage(
  hs: MakeDeps,
  { languages, earlierMediaId }: PreviewWish,
  url: URL,
  expiresTs: number,
): Promise<PreviewImage | undefined> {
  try {
    const request = { url, languages, accept: 'image/webp,image/*;q=0.8', timeoutMs: IMAGE_MS }
    const answer = await hs.previews.fetch(request)
    return await keepImage(hs, answer, { earlierMediaId, forgetTs: expiresTs + IMAGE_KEPT_MS })
  } catch (error) {
    hs.logger.debug('the picture of a page was of no use', { host: url.host, error })
    return undefined
  }
}

/** A link to a picture is shown as this picture, under the name of its file. */
async function ofPicture(
  hs: MakeDeps,
  { earlierMediaId }: PreviewWish,
  answer: FollowedAnswer,
  expiresTs: number,
): Promise<MadePreview> {
  try {
    const forgetTs = expiresTs + IMAGE_KEPT_MS
    const image = await keepImage(hs, answer, { earlierMediaId, forgetTs })
    return withImage(titleOf(answer.url), image, expiresTs)
  } catch (error) {
    hs.logger.debug('a picture was of no use for a preview', { host: answer.url.host, error })
    return { body: titleOf(answer.url), mediaId: '', expiresTs: hs.clock.now() + PARTIAL_MS }
  }
}

function titleOf({ pathname }: URL): JsonObject {
  const encoded = pathname.slice(pathname.lastIndexOf('/') + 1)
  if (encoded === '') return {}
  try {
    return { 'og:title': shorten(decodeURIComponent(encoded), 200) }
  } catch {
    return { 'og:title': shorten(encoded, 200) }
  }
}
