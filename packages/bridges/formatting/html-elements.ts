import { Tokenizer, TokenizerMode, type Token } from 'parse5'

/** An HTML element of a message, or its text. Only elements of `KNOWN` appear; of others, what is inside. */
export type HtmlNode = string | HtmlElement

export interface HtmlElement {
  readonly tag: string
  readonly attributes: ReadonlyMap<string, string>
  readonly children: HtmlNode[]
}

/** https://spec.matrix.org/v1.19/client-server-api/#mroommessage-msgtypes: "must not be nested more than 100 levels" */
const MAX_DEPTH = 100

/** Elements that hold running text; their end tag never closes a block around them. */
const INLINE = new Set(
  ['del', 's', 'strike', 'a', 'sup', 'sub', 'b', 'i', 'u', 'strong', 'em', 'code', 'span', 'font'].concat([
    'ins',
  ]),
)
const VOID = new Set(['br', 'hr', 'img'])
/** Elements whose start ends an open paragraph. */
export const BLOCK: ReadonlySet<string> = new Set(
  [
    'h1',
    'h2',
    'h3',
    'h4',
    'h5',
    'h6',
    'blockquote',
    'p',
    'ul',
    'ol',
    'li',
    'hr',
    'div',
    'table',
    'thead',
  ].concat(['tbody', 'tr', 'th', 'td', 'caption', 'pre', 'details', 'summary', 'mx-reply']),
)
/** Not shown, with all that is in them. */
const RAW = new Set([
  'script',
  'style',
  'template',
  'title',
  'textarea',
  'iframe',
  'noembed',
  'noframes',
  'xmp',
])
const KNOWN = new Set([...INLINE, ...VOID, ...BLOCK])

/**
 * Elements that an end tag is implied for when another of the list starts, and the containers that keep it open.
 * A small part of https://html.spec.whatwg.org/multipage/parsing.html, enough for what clients send.
 */
const IMPLIED_END: Readonly<Record<string, { closes: readonly string[]; within: readonly string[] }>> = {
  li: { closes: ['li'], within: ['ul', 'ol'] },
  tr: { closes: ['tr'], within: ['table', 'thead', 'tbody'] },
  td: { closes: ['td', 'th'], within: ['tr', 'table'] },
  th: { closes: ['td', 'th'], within: ['tr', 'table'] },
  tbody: { closes: ['thead', 'tbody'], within: ['table'] },
  thead: { closes: ['thead', 'tbody'], within: ['table'] },
}

/**
 * The elements and text of a message's HTML. Total and linear in the input, which parse5's own tree builder is not
 * (it walks its open elements for every tag): here the stack is at most 100 deep, tags beyond that keep only their
 * text. Broken nesting is repaired by closing what is open.
 */
export function parseHtmlElements(html: string): HtmlNode[] {
  const builder = new Builder()
  const tokenizer = new Tokenizer(
    { sourceCodeLocationInfo: false },
    {
      onStartTag: (token) => {
        builder.startTag(token)
        if (RAW.has(token.tagName)) {
          tokenizer.state = TokenizerMode.RAWTEXT
          tokenizer.lastStartTagName = token.tagName
        }
      },
      onEndTag: (token) => builder.endTag(token.tagName),
      onCharacter: (token) => builder.text(token.chars),
      onWhitespaceCharacter: (token) => builder.text(token.chars),
      onNullCharacter: () => undefined,
      onComment: () => undefined,
      onDoctype: () => undefined,
      onEof: () => undefined,
    },
  )
  tokenizer.write(html, true)
  return builder.root.children
}

class Builder {
  readonly root: HtmlElement = { tag: '', attributes: new Map(), children: [] }
  #open: HtmlElement[] = [this.root]
  /** Start tags left out for depth, by name, so that their end tags close nothing else. */
  #skipped = new Map<string, number>()
  #raw: string | undefined

  text(chars: string): void {
    if (this.#raw !== undefined) return
    this.#top().children.push(chars)
  }

  startTag(token: Token.TagToken): void {
    const tag = token.tagName
    if (RAW.has(tag)) this.#raw = tag
    if (this.#raw !== undefined || !KNOWN.has(tag)) return
    this.#closeImplied(tag)
    const element = { tag, attributes: attributesOf(token), children: [] }
    if (VOID.has(tag)) this.#top().children.push(element)
    else if (this.#open.length > MAX_DEPTH) this.#skipped.set(tag, (this.#skipped.get(tag) ?? 0) + 1)
    else {
      this.#top().children.push(element)
      this.#open.push(element)
    }
  }

  endTag(tag: string): void {
    if (this.#raw !== undefined) {
      if (tag === this.#raw) this.#raw = undefined
      return
    }
    if (tag === 'br') this.#top().children.push({ tag, attributes: NO_ATTRIBUTES, children: [] })
    if (!KNOWN.has(tag)) return
    const skipped = this.#skipped.get(tag) ?? 0
    if (skipped > 0) this.#skipped.set(tag, skipped - 1)
    else this.#closeTo([tag], INLINE.has(tag) ? BLOCK : new Set())
  }

  #closeImplied(tag: string): void {
    const rule = IMPLIED_END[tag]
    if (rule !== undefined) this.#closeTo(rule.closes, new Set(rule.within))
    else if (BLOCK.has(tag)) this.#closeTo(['p'], P_SCOPE)
  }

  /** Closes the innermost open element of `tags`, unless one of `barriers` stands before it. */
  #closeTo(tags: readonly string[], barriers: ReadonlySet<string>): void {
    for (let i = this.#open.length - 1; i > 0; i--) {
      const { tag } = this.#open[i] as HtmlElement
      if (tags.includes(tag)) {
        this.#open.length = i
        return
      }
      if (barriers.has(tag)) return
    }
  }

  #top(): HtmlElement {
    return this.#open[this.#open.length - 1] as HtmlElement
  }
}

const P_SCOPE = new Set([...BLOCK].filter((tag) => tag !== 'p'))

const NO_ATTRIBUTES: ReadonlyMap<string, string> = new Map()

function attributesOf(token: Token.TagToken): ReadonlyMap<string, string> {
  if (token.attrs.length === 0) return NO_ATTRIBUTES
  return new Map(token.attrs.map(({ name, value }) => [name, value]))
}
