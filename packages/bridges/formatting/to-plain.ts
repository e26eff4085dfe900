import { normalizeDoc } from './normalize.ts'
import { flattenInlines, leafText, type Run } from './runs.ts'
import type { Block, Doc, Inline } from './tree.ts'

export interface PlainOptions {
  /** `hide` writes `[Spoiler]` or `[Spoiler for …]` instead of the text; `mark` writes `[Spoiler: …]` around it. */
  readonly spoilers?: 'hide' | 'mark'
}

/**
 * Unformatted text of a document, several lines where it has several: for `body` of a Matrix message, for mail, for
 * the page that holds a message too long for IRC. Links show their target, quotes start with `> `.
 */
export function toPlain(doc: Doc, options: PlainOptions = {}): string {
  return plainBlocks(normalizeDoc(doc).blocks, options).join('\n')
}

function plainBlocks(blocks: readonly Block[], options: PlainOptions): string[] {
  const lines: string[] = []
  for (const [index, block] of blocks.entries()) {
    // A nested list follows its line directly; everything else is set off by an empty line.
    if (index > 0 && block.type !== 'list') lines.push('')
    for (const line of plainBlock(block, options)) lines.push(line)
  }
  return lines
}

function plainBlock(block: Block, options: PlainOptions): string[] {
  switch (block.type) {
    case 'paragraph':
    case 'heading':
      return plainInlines(block.children, options).split('\n')
    case 'quote':
      return plainBlocks(block.blocks, options).map((line) => (line === '' ? '>' : `> ${line}`))
    case 'code':
      return block.text.split('\n')
    case 'list':
      return block.items.flatMap((item, index) => {
        const bullet = block.ordered ? `${block.start + index}. ` : '- '
        const indent = ' '.repeat(bullet.length)
        return plainBlocks(item, options).map(
          (line, i) => (i === 0 ? bullet : line === '' ? '' : indent) + line,
        )
      })
    case 'table':
      return block.rows.map((row) =>
        row.map((cell) => plainInlines(cell, options).replaceAll('\n', ' ')).join(' | '),
      )
    case 'rule':
      return ['---']
  }
}

/** Inline text without formatting; line breaks as line feeds. */
export function plainInlines(inlines: readonly Inline[], options: PlainOptions = {}): string {
  const runs = flattenInlines(inlines)
  let text = ''
  for (let start = 0; start < runs.length;) {
    const { spoiler } = (runs[start] as Run).style
    let end = start + 1
    while (end < runs.length && (runs[end] as Run).style.spoiler === spoiler) end++
    const inner = runs.slice(start, end)
    text += spoiler === undefined ? plainLinks(inner) : plainSpoiler(spoiler, inner, options)
    start = end
  }
  return text
}

function plainSpoiler(reason: string, runs: readonly Run[], options: PlainOptions): string {
  if (options.spoilers === 'hide') return reason === '' ? '[Spoiler]' : `[Spoiler for ${reason}]`
  return reason === '' ? `[Spoiler: ${plainLinks(runs)}]` : `[Spoiler for ${reason}: ${plainLinks(runs)}]`
}

function plainLinks(runs: readonly Run[]): string {
  let text = ''
  for (let start = 0; start < runs.length;) {
    const { link } = (runs[start] as Run).style
    let label = ''
    let end = start
    for (; end < runs.length && (runs[end] as Run).style.link === link; end++)
      label += leafText((runs[end] as Run).leaf)
    text += link === undefined ? label : linkText(label, link)
    start = end
  }
  return text
}

/** How a link reads where only text exists: `label (url)`, or the URL alone where the label says no more. */
export function linkText(label: string, url: string): string {
  return saysNoMore(label, url) ? url : `${label} (${url})`
}

function saysNoMore(label: string, url: string): boolean {
  const text = label.trim()
  if (text === '') return true
  const bare = (value: string): string =>
    value
      .replace(/^(?:https?:\/\/|ftp:\/\/|mailto:)/i, '')
      .replace(/^www\./i, '')
      .replace(/\/$/, '')
  return bare(text) === bare(url)
}
