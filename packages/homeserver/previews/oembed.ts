import { createPageReader } from './page-facts.ts'
import { shorten, tidy } from './page-text.ts'

/** What an oEmbed document tells. https://oembed.com */
export interface OembedFacts {
  readonly title: string | undefined
  readonly description: string | undefined
  readonly site: string | undefined
  /** Address of a picture, as it stands there. */
  readonly image: string | undefined
}

const MAX_TEXT = 2000
const MAX_HTML = 64 * 1024

/** The words of a piece of HTML: that of a `rich` document is shown as it is nowhere. */
function wordsOf(html: string): string | undefined {
  const reader = createPageReader()
  reader.write(html.slice(0, MAX_HTML))
  const { text } = reader.end()
  return text === '' ? undefined : text
}

/** Undefined for what is no oEmbed document of the version that there is. */
export function parseOembed(text: string): OembedFacts | undefined {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof document !== 'object' || document === null) return undefined
  const fields = document as Readonly<Record<string, unknown>>
  if (String(fields['version']) !== '1.0' && fields['version'] !== 1) return undefined
  const read = (name: string): string | undefined => {
    const value = fields[name]
    return typeof value === 'string' && tidy(value) !== '' ? shorten(tidy(value), MAX_TEXT) : undefined
  }
  const html = fields['html']
  return {
    title: read('title') ?? read('author_name'),
    description: fields['type'] === 'rich' && typeof html === 'string' ? wordsOf(html) : undefined,
    site: read('provider_name'),
    image: fields['type'] === 'photo' ? (read('url') ?? read('thumbnail_url')) : read('thumbnail_url'),
  }
}
