import { BLOCK, parseHtmlElements, type HtmlElement, type HtmlNode } from './html-elements.ts'
import { parseMatrixLink } from './matrix-links.ts'
import { isMxc, normalizeDoc } from './normalize.ts'
import { isSafeUrl } from './safe-url.ts'
import { docFromText, type Block, type Doc, type HeadingLevel, type Inline, type TableRow } from './tree.ts'

/** The part of an `m.room.message` content that is its text; keys may be missing or of any type. */
export interface MessageText {
  readonly body?: unknown
  readonly format?: unknown
  readonly formatted_body?: unknown
}

/** An event has 65,536 bytes at most: longer HTML is no message and not parsed, of a longer body the rest is left out. */
const MAX_LENGTH = 65_536

/**
 * The rich text of a message. Reads `formatted_body` where `format` says it is HTML, else (or where nothing visible
 * is in it) `body`. Knows the tags and attributes of the Matrix allow-list; of other tags only what is inside remains.
 * Reply fallbacks are left out: `mx-reply` always, quoted lines at the start of `body` where `isReply`.
 * Never throws, linear in the input; content that is no text gives an empty document.
 * https://spec.matrix.org/v1.19/client-server-api/#mroommessage-msgtypes
 */
export function fromMatrixMessage(content: MessageText, options: { isReply?: boolean } = {}): Doc {
  const { body, format, formatted_body: html } = content
  if (format === 'org.matrix.custom.html' && typeof html === 'string' && html.length <= MAX_LENGTH) {
    const doc = fromMatrixHtml(html)
    if (doc.blocks.length > 0) return doc
  }
  if (typeof body !== 'string') return { blocks: [] }
  const text = body.slice(0, MAX_LENGTH)
  return normalizeDoc(docFromText(options.isReply === true ? withoutReplyFallback(text) : text))
}

/** The tree of Matrix HTML; empty where nothing visible is in it. */
export function fromMatrixHtml(html: string): Doc {
  return normalizeDoc({ blocks: blocksOf(parseHtmlElements(html)) })
}

/** A body without the "> <@who:example.org> …" lines that older clients put before a reply. */
function withoutReplyFallback(body: string): string {
  if (!/^> (?:\* )?<@/.test(body)) return body
  const lines = body.split('\n')
  let first = 0
  while (lines[first]?.startsWith('>')) first++
  if (lines[first] === '') first++
  return lines.slice(first).join('\n')
}

/** Where in a line we are: decides whether a space shows. */
interface LineState {
  /** The next space would follow another one, or begin the line. */
  afterSpace: boolean
}

function blocksOf(nodes: readonly HtmlNode[]): Block[] {
  const blocks: Block[] = []
  let inlines: Inline[] = []
  let line: LineState = { afterSpace: true }
  const flush = (): void => {
    if (inlines.length > 0) blocks.push({ type: 'paragraph', children: inlines })
    inlines = []
    line = { afterSpace: true }
  }
  for (const node of nodes) {
    if (typeof node === 'string' || !BLOCK.has(node.tag))
      for (const inline of inlineOf(node, line)) inlines.push(inline)
    else {
      flush()
      for (const block of blockOf(node)) blocks.push(block)
    }
  }
  flush()
  return blocks
}

function blockOf(element: HtmlElement): Block[] {
  const { tag, children } = element
  switch (tag) {
    case 'mx-reply':
      return []
    case 'hr':
      return [{ type: 'rule' }]
    case 'pre':
      return [codeBlock(element)]
    case 'blockquote':
      return [{ type: 'quote', blocks: blocksOf(children) }]
    case 'ul':
    case 'ol':
      return [listBlock(element)]
    case 'table':
      return tableBlocks(element)
    case 'summary':
      return [{ type: 'paragraph', children: [{ type: 'strong', children: inlinesOf(children) }] }]
    default:
      return /^h[1-6]$/.test(tag) ? [headingBlock(element)] : mathOr(element, () => blocksOf(children))
  }
}

function headingBlock({ tag, children }: HtmlElement): Block {
  return { type: 'heading', level: Number(tag[1]) as HeadingLevel, children: inlinesOf(children) }
}

function mathOr(element: HtmlElement, otherwise: () => Block[]): Block[] {
  const latex = element.attributes.get('data-mx-maths')
  return latex === undefined ? otherwise() : [{ type: 'code', text: latex, language: 'latex' }]
}

function codeBlock(pre: HtmlElement): Block {
  const code = pre.children.find((node) => typeof node !== 'string' && node.tag === 'code')
  const name = typeof code === 'object' ? code.attributes.get('class') : undefined
  const language = name
    ?.split(/\s+/, 32)
    .find((part) => part.startsWith('language-'))
    ?.slice('language-'.length)
  return { type: 'code', text: rawText(pre.children), ...(language && { language }) }
}

/** All text of nodes as it stands, `br` as a line feed. */
function rawText(nodes: readonly HtmlNode[]): string {
  return nodes
    .map((node) => (typeof node === 'string' ? node : node.tag === 'br' ? '\n' : rawText(node.children)))
    .join('')
}

function listBlock(element: HtmlElement): Block {
  const items: Block[][] = []
  for (const child of element.children) {
    if (typeof child === 'object' && child.tag === 'li') items.push(blocksOf(child.children))
    else items.push(blocksOf([child]))
  }
  const start = Number.parseInt(element.attributes.get('start') ?? '1', 10)
  return { type: 'list', ordered: element.tag === 'ol', start, items }
}

function tableBlocks(table: HtmlElement): Block[] {
  const rows: { cells: TableRow; heading: boolean }[] = []
  const captions: Block[] = []
  const visit = (nodes: readonly HtmlNode[], inHead: boolean): void => {
    for (const node of nodes) {
      if (typeof node === 'string') continue
      if (node.tag === 'caption') captions.push({ type: 'paragraph', children: inlinesOf(node.children) })
      else if (node.tag === 'tr') rows.push(tableRow(node, inHead))
      else visit(node.children, inHead || node.tag === 'thead')
    }
  }
  visit(table.children, false)
  const firstBody = rows.findIndex((row) => !row.heading)
  const headerRows = firstBody === -1 ? rows.length : firstBody
  return [...captions, { type: 'table', headerRows, rows: rows.map((row) => row.cells) }]
}

function tableRow(row: HtmlElement, inHead: boolean): { cells: TableRow; heading: boolean } {
  const cells = row.children.filter((node) => typeof node === 'object')
  const heading = inHead || (cells.length > 0 && cells.every((cell) => cell.tag === 'th'))
  return { cells: cells.map((cell) => inlinesOf(cell.children)), heading }
}

function inlinesOf(nodes: readonly HtmlNode[]): Inline[] {
  const line: LineState = { afterSpace: true }
  return nodes.flatMap((node) => inlineOf(node, line))
}

function inlineOf(node: HtmlNode, line: LineState): Inline[] {
  if (typeof node === 'string') return [{ type: 'text', text: collapse(node, line) }]
  const { tag, attributes, children } = node
  if (tag === 'mx-reply') return []
  if (tag === 'br' || tag === 'hr') {
    line.afterSpace = true
    return [{ type: 'lineBreak' }]
  }
  if (tag === 'img') return [imageOf(node, line)]
  if (tag === 'code') return [{ type: 'code', text: collapse(rawText(children), line) }]
  const latex = attributes.get('data-mx-maths')
  if (latex !== undefined && latex.trim() !== '') return [{ type: 'code', text: collapse(latex, line) }]
  if (BLOCK.has(tag)) return blockInline(node, line)
  return styled(
    node,
    children.flatMap((child) => inlineOf(child, line)),
  )
}

/** A block inside running text (`<b><p>…`): a line of its own. */
function blockInline({ tag, children }: HtmlElement, line: LineState): Inline[] {
  if (tag === 'thead' || tag === 'tbody') return children.flatMap((child) => inlineOf(child, line))
  line.afterSpace = true
  const inner =
    tag === 'pre'
      ? [{ type: 'code' as const, text: collapse(rawText(children), line) }]
      : children.flatMap((child) => inlineOf(child, line))
  line.afterSpace = true
  return [{ type: 'lineBreak' }, ...inner, { type: 'lineBreak' }]
}

const STYLE_OF: Readonly<Record<string, 'strong' | 'emph' | 'strike' | 'underline'>> = {
  strong: 'strong',
  b: 'strong',
  em: 'emph',
  i: 'emph',
  del: 'strike',
  s: 'strike',
  strike: 'strike',
  u: 'underline',
  ins: 'underline',
}

function styled(element: HtmlElement, children: Inline[]): Inline[] {
  const { tag, attributes } = element
  const style = STYLE_OF[tag]
  if (style !== undefined) return [{ type: style, children }]
  if (tag === 'a') return linked(attributes.get('href') ?? '', children)
  if (tag === 'sup' || tag === 'sub') return script(tag === 'sup' ? '^' : '_', children)
  if (tag !== 'span' && tag !== 'font') return children
  const colored = withColor(attributes, children)
  const reason = attributes.get('data-mx-spoiler')
  if (reason === undefined) return colored
  return [{ type: 'spoiler', ...(reason !== '' && { reason }), children: colored }]
}

/** `x^2` and `a_(i+1)`: no network of text has raised letters, and dropping the sign would change a number. */
function script(sign: string, children: Inline[]): Inline[] {
  const single = children.length === 1 && children[0]?.type === 'text' && children[0].text.length === 1
  const [open, close] = single ? [sign, ''] : [`${sign}(`, ')']
  return [{ type: 'text', text: open }, ...children, { type: 'text', text: close }]
}

function linked(href: string, children: Inline[]): Inline[] {
  const url = href.trim()
  const target = parseMatrixLink(url)
  if (target !== undefined) return [{ type: 'mention', target, label: labelOf(children) || idOf(target) }]
  if (!isSafeUrl(url)) return children
  return [
    {
      type: 'link',
      url,
      children: labelOf(children).trim() === '' ? [{ type: 'text', text: url }] : children,
    },
  ]
}

function idOf(target: Extract<Inline, { type: 'mention' }>['target']): string {
  if (target.kind === 'person') return target.userId
  return target.kind === 'room' ? target.room : '@room'
}

function labelOf(inlines: readonly Inline[]): string {
  return inlines
    .map((inline) => {
      if ('children' in inline) return labelOf(inline.children)
      if (inline.type === 'mention') return inline.label
      if (inline.type === 'customEmoji') return `:${inline.shortcode}:`
      return inline.type === 'lineBreak' ? ' ' : inline.text
    })
    .join('')
}

function withColor(attributes: ReadonlyMap<string, string>, children: Inline[]): Inline[] {
  const fg = hexColor(attributes.get('data-mx-color') ?? attributes.get('color'))
  const bg = hexColor(attributes.get('data-mx-bg-color'))
  if (fg === undefined && bg === undefined) return children
  return [{ type: 'color', ...(fg !== undefined && { fg }), ...(bg !== undefined && { bg }), children }]
}

function hexColor(value: string | undefined): string | undefined {
  if (value === undefined) return undefined
  if (/^#[0-9a-f]{6}$/i.test(value)) return value.toLowerCase()
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(value)
  return short === null
    ? undefined
    : `#${short
        .slice(1)
        .map((digit) => digit + digit)
        .join('')}`.toLowerCase()
}

function imageOf({ attributes }: HtmlElement, line: LineState): Inline {
  line.afterSpace = false
  const name = (attributes.get('alt') || attributes.get('title') || '').trim()
  const src = attributes.get('src') ?? ''
  if (attributes.has('data-mx-emoticon') && name !== '') {
    return { type: 'customEmoji', shortcode: name.replaceAll(':', ''), ...(isMxc(src) && { mxc: src }) }
  }
  return { type: 'text', text: `[${name || 'image'}]` }
}

/**
 * Text as a browser shows it: runs of white space are one space, none at the start of a line. A no-break space that
 * follows a space or begins a line is how HTML writes a second space, and becomes one; elsewhere it stays.
 */
function collapse(text: string, line: LineState): string {
  return text.replace(/[ \t\n\f\r]+|\u00a0|[^ \t\n\f\r\u00a0]+/g, (part) => {
    const first = part[0] as string
    if (first === '\u00a0') {
      const asSpace = line.afterSpace
      line.afterSpace = asSpace
      return asSpace ? ' ' : part
    }
    const isSpace = ' \t\n\f\r'.includes(first)
    const kept = isSpace ? (line.afterSpace ? '' : ' ') : part
    line.afterSpace = isSpace
    return kept
  })
}
