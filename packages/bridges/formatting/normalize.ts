import type { Block, Doc, Inline } from './tree.ts'

/**
 * The normal form of a tree: control characters gone, lone surrogates replaced, line ends as `lineBreak`, neighboring
 * text joined, empty nodes gone, a style inside the same style unwrapped, no spaces or breaks at the end of a line or
 * paragraph. What readers see stays; two trees that read the same are mostly equal afterwards. Idempotent, linear.
 */
export function normalizeDoc(doc: Doc): Doc {
  return { blocks: normalizeBlocks(doc.blocks) }
}

function normalizeBlocks(blocks: readonly Block[]): Block[] {
  const result: Block[] = []
  for (const block of blocks) {
    const normal = normalizeBlock(block)
    if (normal !== undefined) result.push(normal)
  }
  return result
}

function normalizeBlock(block: Block): Block | undefined {
  switch (block.type) {
    case 'paragraph':
    case 'heading': {
      const children = normalizeInlines(block.children)
      return children.length === 0 ? undefined : { ...block, children }
    }
    case 'quote': {
      const blocks = normalizeBlocks(block.blocks)
      return blocks.length === 0 ? undefined : { type: 'quote', blocks }
    }
    case 'code':
      return normalizeCode(block)
    case 'list':
      return normalizeList(block)
    case 'table':
      return normalizeTable(block)
    case 'rule':
      return { type: 'rule' }
  }
}

function normalizeCode(block: Extract<Block, { type: 'code' }>): Block | undefined {
  const text = cleanText(block.text).replaceAll('\r\n', '\n').replaceAll('\r', '\n')
  const kept = trimLineEnds(text)
  if (kept.trim() === '') return undefined
  const language = block.language?.match(/^[\w+#.-]{1,40}$/)?.[0]
  return { type: 'code', text: kept, ...(language !== undefined && { language }) }
}

/** Without leading and trailing empty lines. Scans from both ends; a regular expression would be quadratic. */
function trimLineEnds(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && text[start] === '\n') start++
  while (end > start && text[end - 1] === '\n') end--
  return text.slice(start, end)
}

/** Numbers of list items beyond this are no longer numbers but a way to fill lines. */
const MAX_START = 999_999

function normalizeList(block: Extract<Block, { type: 'list' }>): Block | undefined {
  const items = block.items.map(normalizeBlocks).filter((item) => item.length > 0)
  if (items.length === 0) return undefined
  const start = block.ordered && block.start >= 0 && block.start <= MAX_START ? Math.floor(block.start) : 1
  return { type: 'list', ordered: block.ordered, start, items }
}

function normalizeTable(block: Extract<Block, { type: 'table' }>): Block | undefined {
  const rows: Inline[][][] = []
  let headerRows = 0
  for (const [index, row] of block.rows.entries()) {
    const cells = row.map((cell) => normalizeInlines(cell))
    if (cells.every((cell) => cell.length === 0)) continue
    if (index < block.headerRows) headerRows++
    rows.push(cells)
  }
  return rows.length === 0 ? undefined : { type: 'table', headerRows, rows }
}

/** The normal form of one line of inline nodes; empty when nothing visible is in it. */
export function normalizeInlines(inlines: readonly Inline[]): Inline[] {
  const cleaned = cleanInlines(inlines, [])
  const trimmed = trimEnd(cleaned, { atEnd: true })
  let start = 0
  let end = trimmed.length
  while (start < end && trimmed[start]?.type === 'lineBreak') start++
  while (end > start && trimmed[end - 1]?.type === 'lineBreak') end--
  return trimmed.slice(start, end)
}

type Wrapper = Extract<Inline, { children: readonly Inline[] }>

function cleanInlines(inlines: readonly Inline[], open: readonly string[]): Inline[] {
  const out: Inline[] = []
  for (const inline of inlines) {
    if (inline.type === 'text') pushText(out, inline.text)
    else if (inline.type === 'code') pushLeaf(out, inline, inline.text)
    else if (inline.type === 'emoji') pushLeaf(out, inline, inline.text)
    // HTML knows no link in a link, and a mention is one.
    else if (inline.type === 'mention' && open.includes('link')) pushText(out, oneLine(inline.label))
    else if (inline.type === 'mention') out.push({ ...inline, label: oneLine(inline.label).trim() || '?' })
    else if (inline.type === 'customEmoji') pushEmoji(out, inline)
    else if (inline.type === 'lineBreak') out.push({ type: 'lineBreak' })
    else pushWrapper(out, inline, open)
  }
  return out
}

function pushWrapper(out: Inline[], wrapper: Wrapper, open: readonly string[]): void {
  // A color inside a color overrides it; every other style inside itself says nothing new.
  const repeated = wrapper.type !== 'color' && open.includes(wrapper.type)
  const inner = repeated || wrapper.type === 'color' ? open : [...open, wrapper.type]
  const children = cleanInlines(wrapper.children, inner)
  if (children.length === 0) return
  if (repeated || !hasMeaning(wrapper)) for (const child of children) pushNode(out, child)
  else out.push(tidyWrapper(wrapper, children))
}

const HEX_COLOR = /^#[0-9a-f]{6}$/i

function hasMeaning(wrapper: Wrapper): boolean {
  if (wrapper.type !== 'color') return wrapper.type !== 'link' || wrapper.url !== ''
  return HEX_COLOR.test(wrapper.fg ?? '') || HEX_COLOR.test(wrapper.bg ?? '')
}

function tidyWrapper(wrapper: Wrapper, children: Inline[]): Inline {
  if (wrapper.type === 'color') {
    const { fg, bg } = wrapper
    return {
      type: 'color',
      ...(fg !== undefined && HEX_COLOR.test(fg) && { fg: fg.toLowerCase() }),
      ...(bg !== undefined && HEX_COLOR.test(bg) && { bg: bg.toLowerCase() }),
      children,
    }
  }
  if (wrapper.type !== 'spoiler') return { ...wrapper, children }
  const reason = oneLine(wrapper.reason ?? '').trim()
  return { type: 'spoiler', ...(reason !== '' && { reason }), children }
}

function pushNode(out: Inline[], node: Inline): void {
  if (node.type === 'text') appendText(out, node.text)
  else out.push(node)
}

function pushText(out: Inline[], raw: string): void {
  const text = cleanText(raw)
  if (!/[\r\n]/.test(text)) return appendText(out, text.replaceAll('\t', ' '))
  for (const [index, line] of text.split(/\r\n|\r|\n/).entries()) {
    if (index > 0) out.push({ type: 'lineBreak' })
    appendText(out, line.replaceAll('\t', ' '))
  }
}

function appendText(out: Inline[], text: string): void {
  if (text === '') return
  const last = out.at(-1)
  if (last?.type === 'text') out[out.length - 1] = { type: 'text', text: last.text + text }
  else out.push({ type: 'text', text })
}

function pushLeaf(out: Inline[], leaf: Extract<Inline, { text: string }>, raw: string): void {
  const text = oneLine(raw)
  if (text !== '') out.push({ ...leaf, text })
}

function pushEmoji(out: Inline[], emoji: Extract<Inline, { type: 'customEmoji' }>): void {
  const shortcode = oneLine(emoji.shortcode).replaceAll(':', '').trim() || 'emoji'
  const mxc = emoji.mxc !== undefined && isMxc(emoji.mxc) ? emoji.mxc : undefined
  out.push({ type: 'customEmoji', shortcode, ...(mxc !== undefined && { mxc }) })
}

/** Whether text is an `mxc://` URI of the one allowed shape. */
export function isMxc(url: string): boolean {
  return /^mxc:\/\/[\w.:[\]-]{1,255}\/[\w-]{1,255}$/.test(url)
}

/** Text without what no message should carry: C0 and C1 controls but tab and line ends, and lone surrogates. */
export function cleanText(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are the subject
  return text.toWellFormed().replace(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g, '')
}

/** `cleanText`, and every line end or tab turned into a space. */
export function oneLine(text: string): string {
  return cleanText(text).replace(/[\t\r\n]/g, ' ')
}

/** Drops spaces before line breaks and at the end, through any nesting; walks from the end so it stays linear. */
function trimEnd(inlines: readonly Inline[], state: { atEnd: boolean }): Inline[] {
  const reversed: Inline[] = []
  for (let i = inlines.length - 1; i >= 0; i--) {
    const kept = trimNode(inlines[i] as Inline, state)
    if (kept !== undefined) reversed.push(kept)
  }
  return reversed.reverse()
}

function trimNode(node: Inline, state: { atEnd: boolean }): Inline | undefined {
  if ('children' in node) {
    const children = trimEnd(node.children, state)
    return children.length === 0 ? undefined : { ...node, children }
  }
  if (node.type === 'lineBreak') {
    state.atEnd = true
    return node
  }
  if (!state.atEnd) return node
  if (node.type !== 'text') {
    state.atEnd = false
    return node
  }
  let end = node.text.length
  while (end > 0 && node.text[end - 1] === ' ') end--
  if (end === 0) return undefined
  state.atEnd = false
  return end === node.text.length ? node : { type: 'text', text: node.text.slice(0, end) }
}
