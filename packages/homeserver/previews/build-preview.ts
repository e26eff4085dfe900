import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { OembedFacts } from './oembed.ts'
import type { PageFacts } from './page-facts.ts'
import { shorten } from './page-text.ts'

/** A picture of ours. */
export interface PreviewImage {
  readonly mxc: string
  readonly mediaId: string
  readonly size: number
  readonly width: number
  readonly height: number
  readonly contentType: string
}

const MAX_TITLE = 300
const MAX_DESCRIPTION = 1000
const MAX_OTHER = 2048
/** Where a page names its picture, the best first. */
const IMAGE_NAMES = ['og:image:secure_url', 'og:image:url', 'og:image', 'twitter:image', 'twitter:image:src']

/** A http(s) address without a user's name or password; relative ones are taken from `base`. */
export function webAddress(text: string | undefined, base: URL): URL | undefined {
  if (text === undefined || !URL.canParse(text, base)) return undefined
  const url = new URL(text, base)
  const isWeb = (url.protocol === 'http:' || url.protocol === 'https:') && url.hostname !== ''
  return isWeb && url.username === '' && url.password === '' && url.href.length <= MAX_OTHER ? url : undefined
}

/** What relative addresses in a page are relative to. */
export function baseOf(facts: PageFacts, pageUrl: URL): URL {
  return webAddress(facts.base, pageUrl) ?? pageUrl
}

/** Where the picture of a page is. */
export function findImageUrl(
  facts: PageFacts,
  oembed: OembedFacts | undefined,
  pageUrl: URL,
): URL | undefined {
  const base = baseOf(facts, pageUrl)
  const named = IMAGE_NAMES.map((name) => facts.meta.get(name))
  return [...named, oembed?.image, facts.image]
    .map((text) => webAddress(text, base))
    .find((url) => url !== undefined)
}

/** Whether the oEmbed document of a page could tell what the page itself does not. */
export function wantsOembed({ meta, oembed }: PageFacts): boolean {
  return oembed !== undefined && (!meta.has('og:title') || !IMAGE_NAMES.some((name) => meta.has(name)))
}

const others = (facts: PageFacts): [string, string][] =>
  [...facts.meta]
    .filter(([name]) => name.startsWith('og:') && !/^og:image(:(?!alt$)|$)/.test(name))
    .map(([name, value]) => [name, shorten(value, MAX_OTHER)])

/**
 * The answer for a page: its Open Graph data, and what else it tells where they lack something. Empty for a page
 * that tells nothing. https://ogp.me
 */
export function buildPreview(facts: PageFacts, oembed: OembedFacts | undefined): JsonObject {
  const { meta } = facts
  const preview: Record<string, string> = Object.fromEntries(others(facts))
  const set = (name: string, value: string | undefined, length: number): void => {
    if (value !== undefined && value !== '') preview[name] = shorten(value, length)
  }
  set(
    'og:title',
    meta.get('og:title') ?? meta.get('twitter:title') ?? oembed?.title ?? facts.title,
    MAX_TITLE,
  )
  set(
    'og:description',
    meta.get('og:description') ??
      meta.get('twitter:description') ??
      meta.get('description') ??
      oembed?.description ??
      facts.text,
    MAX_DESCRIPTION,
  )
  set('og:site_name', meta.get('og:site_name') ?? oembed?.site, MAX_TITLE)
  set('og:image:alt', meta.get('og:image:alt') ?? meta.get('twitter:image:alt'), MAX_DESCRIPTION)
  return preview
}

/** What is told of a picture. https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediapreview_url */
export function imageProperties(image: PreviewImage): JsonObject {
  return {
    'og:image': image.mxc,
    'og:image:type': image.contentType,
    'og:image:width': image.width,
    'og:image:height': image.height,
    'matrix:image:size': image.size,
  }
}
