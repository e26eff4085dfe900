import { formatMatrixTo } from './matrix-links.ts'
import { normalizeDoc } from './normalize.ts'
import { isSafeUrl } from './safe-url.ts'
import { toPlain } from './to-plain.ts'
import { mentionsOf, type Block, type Doc, type Inline } from './tree.ts'

/** What to put into an `m.room.message`; `format` and `formatted_body` are absent for unformatted text. */
export interface RenderedMessage {
  readonly body: string
  readonly format?: 'org.matrix.custom.html'
  readonly formatted_body?: string
  /** Always present: see `mentionsOf`. */
  readonly 'm.mentions': { user_ids?: string[]; room?: true }
}

/**
 * The content keys of a Matrix message. HTML holds only tags and attributes of the specification's allow-list and
 * safe link targets, whatever the tree says. Spoilers are hidden in `body`, since that is what notifications show.
 * https://spec.matrix.org/v1.19/client-server-api/#mroommessage-msgtypes
 */
export function toMatrixMessage(doc: Doc): RenderedMessage {
  const normal = normalizeDoc(doc)
  const body = toPlain(normal, { spoilers: 'hide' })
  const mentions = mentionsOf(normal)
  if (isUnformatted(normal)) return { body, 'm.mentions': mentions }
  const html = blocksHtml(normal.blocks)
  return { body, format: 'org.matrix.custom.html', formatted_body: html, 'm.mentions': mentions }
}

/** The HTML of a tree, also where it is unformatted. */
export function toMatrixHtml(doc: Doc): string {
  return blocksHtml(normalizeDoc(doc).blocks)
}

function isUnformatted(doc: Doc): boolean {
  if (doc.blocks.length > 1) return false
  return doc.blocks.every(
    (block) => block.type === 'paragraph' && block.children.every((inline) => isPlainInline(inline)),
  )
}

function isPlainInline(inline: Inline): boolean {
  if (inline.type === 'link') return inline.children.every((c) => c.type === 'text' && c.text === inline.url)
  return inline.type === 'text' || inline.type === 'lineBreak' || inline.type === 'emoji'
}

/** Paragraphs are tagged only where two meet: the specification asks for no needless paragraph tags. */
function blocksHtml(blocks: readonly Block[]): string {
  return blocks
    .map((block, index) => {
      const beside = blocks[index - 1]?.type === 'paragraph' || blocks[index + 1]?.type === 'paragraph'
      if (block.type !== 'paragraph') return blockHtml(block)
      const html = inlineHtml(block.children)
      return beside ? `<p>${html}</p>` : html
    })
    .join('')
}

function blockHtml(block: Exclude<Block, { type: 'paragraph' }>): string {
  switch (block.type) {
    case 'heading':
      return `<h${block.level}>${inlineHtml(block.children)}</h${block.level}>`
    case 'quote':
      return `<blockquote>${blocksHtml(block.blocks)}</blockquote>`
    case 'code': {
      const language = block.language === undefined ? '' : ` class="language-${escapeHtml(block.language)}"`
      return `<pre><code${language}>${escapeHtml(block.text)}</code></pre>`
    }
    case 'list':
      return listHtml(block)
    case 'table':
      return tableHtml(block)
    case 'rule':
      return '<hr>'
  }
}

function listHtml(list: Extract<Block, { type: 'list' }>): string {
  const items = list.items.map((item) => `<li>${blocksHtml(item)}</li>`).join('')
  if (!list.ordered) return `<ul>${items}</ul>`
  return list.start === 1 ? `<ol>${items}</ol>` : `<ol start="${list.start}">${items}</ol>`
}

function tableHtml(table: Extract<Block, { type: 'table' }>): string {
  const row = (cells: readonly (readonly Inline[])[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${inlineHtml(cell)}</${tag}>`).join('')}</tr>`
  const head = table.rows.slice(0, table.headerRows).map((cells) => row(cells, 'th'))
  const body = table.rows.slice(table.headerRows).map((cells) => row(cells, 'td'))
  const section = (tag: string, rows: string[]): string =>
    rows.length === 0 ? '' : `<${tag}>${rows.join('')}</${tag}>`
  return `<table>${section('thead', head)}${section('tbody', body)}</table>`
}

/** Whether the next space would be swallowed by HTML: it follows one or begins a line. */
interface LineState {
  afterSpace: boolean
}

function inlineHtml(inlines: readonly Inline[]): string {
  const line: LineState = { afterSpace: true }
  return inlines.map((inline) => oneInlineHtml(inline, line)).join('')
}

const TAG = { strong: 'strong', emph: 'em', strike: 'del', underline: 'u' } as const

function oneInlineHtml(inline: Inline, line: LineState): string {
  switch (inline.type) {
    case 'text':
    case 'emoji':
      return spacedHtml(inline.text, line)
    case 'code':
      return `<code>${spacedHtml(inline.text, line)}</code>`
    case 'lineBreak':
      line.afterSpace = true
      return '<br>'
    case 'mention':
      return mentionHtml(inline, line)
    case 'customEmoji':
      return emojiHtml(inline, line)
    default:
      return wrapperHtml(inline, inline.children.map((child) => oneInlineHtml(child, line)).join(''))
  }
}

function wrapperHtml(wrapper: Extract<Inline, { children: readonly Inline[] }>, inner: string): string {
  if (wrapper.type === 'link') {
    if (isSafeUrl(wrapper.url)) return `<a href="${escapeHtml(wrapper.url)}">${inner}</a>`
    const url = escapeHtml(wrapper.url)
    return inner === url ? inner : `${inner} (${url})`
  }
  if (wrapper.type === 'spoiler') {
    const reason = wrapper.reason === undefined ? '' : `="${escapeHtml(wrapper.reason)}"`
    return `<span data-mx-spoiler${reason}>${inner}</span>`
  }
  if (wrapper.type === 'color') {
    const fg = wrapper.fg === undefined ? '' : ` data-mx-color="${wrapper.fg}"`
    const bg = wrapper.bg === undefined ? '' : ` data-mx-bg-color="${wrapper.bg}"`
    return `<span${fg}${bg}>${inner}</span>`
  }
  return `<${TAG[wrapper.type]}>${inner}</${TAG[wrapper.type]}>`
}

function mentionHtml(mention: Extract<Inline, { type: 'mention' }>, line: LineState): string {
  line.afterSpace = false
  const url = formatMatrixTo(mention.target)
  if (url === undefined) return '@room'
  return `<a href="${escapeHtml(url)}">${spacedHtml(mention.label, { afterSpace: false })}</a>`
}

function emojiHtml(emoji: Extract<Inline, { type: 'customEmoji' }>, line: LineState): string {
  line.afterSpace = false
  const name = escapeHtml(`:${emoji.shortcode}:`)
  if (emoji.mxc === undefined) return name
  return `<img data-mx-emoticon src="${escapeHtml(emoji.mxc)}" alt="${name}" title="${name}" height="32">`
}

/** Text with every space that HTML would swallow written as a no-break space. */
function spacedHtml(text: string, line: LineState): string {
  let html = ''
  for (const part of text.split(/( )/)) {
    if (part === '') continue
    html += part !== ' ' ? escapeHtml(part) : line.afterSpace ? '&nbsp;' : ' '
    line.afterSpace = part === ' '
  }
  return html
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text that stays text in HTML, in element content and in quoted attribute values. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ESCAPES[char] as string)
}
