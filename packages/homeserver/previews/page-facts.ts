import { Tokenizer, TokenizerMode, type Token } from 'parse5'
import { tidy } from './page-text.ts'

/** What a page says of itself. */
export interface PageFacts {
  /** `og:…`, `twitter:…`, `article:…`, `description` and the like, lowercased; of each the first. */
  readonly meta: ReadonlyMap<string, string>
  /** Of `<title>`. */
  readonly title: string | undefined
  /** The first paragraphs. */
  readonly text: string
  /** Where its oEmbed document is, as it stands there. */
  readonly oembed: string | undefined
  /** `<link rel="image_src">`, as it stands there. */
  readonly image: string | undefined
  /** `<base href>`, as it stands there. */
  readonly base: string | undefined
}

/** Reads a page piece by piece. */
export interface PageReader {
  /** @returns whether more of the page can still tell something */
  write(text: string): boolean
  end(): PageFacts
}

/** Values kept of one page, and how long one may be. */
const MAX_META = 60
const MAX_VALUE = 4096
const MAX_TITLE = 1000
/** So much text of paragraphs is enough, from paragraphs that are at least so long. */
const ENOUGH_TEXT = 300
const MAX_TEXT = 2000
const MIN_PARAGRAPH = 40

const MODES: ReadonlyMap<string, Tokenizer['state']> = new Map([
  ['title', TokenizerMode.RCDATA],
  ['textarea', TokenizerMode.RCDATA],
  ['script', TokenizerMode.SCRIPT_DATA],
  ...['style', 'xmp', 'iframe', 'noembed', 'noframes'].map((tag) => [tag, TokenizerMode.RAWTEXT] as const),
])
/** What ends a paragraph that nobody closed. */
const BLOCKS = new Set(
  ['div', 'section', 'article', 'ul', 'ol', 'table', 'h1', 'h2', 'h3', 'h4', 'form', 'blockquote'].concat([
    'pre',
    'aside',
    'nav',
    'header',
    'footer',
    'main',
  ]),
)
/** Where one of these is, a drawing is over although nobody closed it. */
const OUTSIDE_SVG = new Set(['body', 'meta', 'p', 'div', 'h1', 'ul'])
const DESCRIPTIONS = ['og:description', 'twitter:description', 'description']
const META_NAMES = /^((og|twitter|article|book|profile|video|music):[a-z0-9_:.-]{1,60}|description|author)$/

const attribute = ({ attrs }: Token.TagToken, name: string): string | undefined =>
  attrs.find((one) => one.name === name)?.value.slice(0, MAX_VALUE)

/**
 * Picks out of a page what a preview shows. Tags are taken as they come: no tree is built, so that neither depth
 * nor broken nesting costs anything, and what is kept is bounded. Nothing in the page is run or fetched.
 */
export function createPageReader(): PageReader {
  const collector = new Collector()
  const ignore = (): void => undefined
  const tokenizer = new Tokenizer(
    { sourceCodeLocationInfo: false },
    {
      onStartTag: (token) => {
        // Only HTML has elements whose content is no markup; `<svg><title>` has an ordinary one.
        const mode = collector.svg === 0 ? MODES.get(token.tagName) : undefined
        if (mode !== undefined) {
          tokenizer.state = mode
          tokenizer.lastStartTagName = token.tagName
        }
        collector.startTag(token)
      },
      onEndTag: ({ tagName }) => collector.endTag(tagName),
      onCharacter: ({ chars }) => collector.text(chars),
      onWhitespaceCharacter: ({ chars }) => collector.text(chars),
      onNullCharacter: ignore,
      onComment: ignore,
      onDoctype: ignore,
      onEof: ignore,
    },
  )
  return {
    write: (text) => {
      tokenizer.write(text, false)
      return !collector.isDone
    },
    end: () => {
      tokenizer.write('', true)
      return collector.facts()
    },
  }
}

class Collector {
  svg = 0
  readonly #meta = new Map<string, string>()
  #title: string | undefined
  #oembed: string | undefined
  #image: string | undefined
  #base: string | undefined
  #text = ''
  /** What is being read: the text of the title, of a paragraph, or nothing. */
  #open: 'title' | 'p' | undefined
  #read = ''
  #hidden: string | undefined
  #inBody = false

  /** The head is over, and what describes the page is known. */
  get isDone(): boolean {
    return (
      this.#inBody && (this.#text.length >= ENOUGH_TEXT || DESCRIPTIONS.some((name) => this.#meta.has(name)))
    )
  }

  startTag(token: Token.TagToken): void {
    const tag = token.tagName
    if (OUTSIDE_SVG.has(tag)) this.svg = 0
    if (tag === 'svg' && !token.selfClosing) this.svg++
    if (this.svg > 0) return
    if (tag === 'body') this.#inBody = true
    else if (tag === 'meta') this.#addMeta(token)
    else if (tag === 'link') this.#addLink(token)
    else if (tag === 'base') this.#base ??= attribute(token, 'href')
    else if (tag === 'title') this.#begin('title')
    else if (tag === 'p') this.#begin('p')
    else if (MODES.has(tag)) this.#hidden = tag
    else if (BLOCKS.has(tag)) this.#finish()
    else if (tag === 'br') this.text(' ')
  }

  endTag(tag: string): void {
    if (tag === 'svg') this.svg = Math.max(0, this.svg - 1)
    else if (tag === this.#hidden) this.#hidden = undefined
    else if (tag === 'head') this.#inBody = true
    else if (tag === this.#open || BLOCKS.has(tag)) this.#finish()
  }

  text(chars: string): void {
    if (this.#open === undefined || this.#hidden !== undefined || this.svg > 0) return
    const room = (this.#open === 'title' ? MAX_TITLE : MAX_TEXT) - this.#read.length
    this.#read += chars.slice(0, Math.max(0, room))
  }

  facts(): PageFacts {
    this.#finish()
    return {
      meta: this.#meta,
      title: this.#title,
      text: this.#text,
      oembed: this.#oembed,
      image: this.#image,
      base: this.#base,
    }
  }

  #begin(what: 'title' | 'p'): void {
    this.#finish()
    this.#open = what
    this.#hidden = undefined
  }

  #finish(): void {
    const read = tidy(this.#read)
    if (this.#open === 'title' && read !== '') this.#title ??= read
    if (this.#open === 'p' && read.length >= MIN_PARAGRAPH && this.#text.length < ENOUGH_TEXT) {
      this.#text += this.#text === '' ? read : `\n\n${read}`
    }
    this.#open = undefined
    this.#read = ''
  }

  #addMeta(token: Token.TagToken): void {
    const value = tidy(attribute(token, 'content') ?? '')
    if (value === '' || this.#meta.size >= MAX_META) return
    for (const given of [attribute(token, 'property'), attribute(token, 'name')]) {
      const name = given?.trim().toLowerCase()
      if (name === undefined || !META_NAMES.test(name) || this.#meta.has(name)) continue
      this.#meta.set(name, value)
    }
  }

  #addLink(token: Token.TagToken): void {
    const href = attribute(token, 'href')
    const rel = (attribute(token, 'rel') ?? '').toLowerCase().split(/\s+/)
    if (href === undefined) return
    if (rel.includes('image_src')) this.#image ??= href
    if (rel.includes('alternate') && attribute(token, 'type')?.toLowerCase() === 'application/json+oembed') {
      this.#oembed ??= href
    }
  }
}
