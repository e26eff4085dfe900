import { graphemes, truncateGraphemes } from '../../formatting/emoji.ts'
import { linkify } from '../../formatting/linkify.ts'
import { normalizeDoc, oneLine } from '../../formatting/normalize.ts'
import { flattenInlines, leafText, type Leaf, type Run, type Style } from '../../formatting/runs.ts'
import { linkText, toPlain } from '../../formatting/to-plain.ts'
import type { Block, Doc, Inline } from '../../formatting/tree.ts'
import { CODE, PLAIN_STYLE, type IrcStyle, type Segment } from './codes.ts'
import { nearestColor } from './palette.ts'
import { byteLength, splitLines, type LogicalLine } from './split-lines.ts'

export interface IrcRenderOptions {
  /** Bytes for the text of one line (`textBudget`); at least 256. */
  readonly budgetBytes: number
  /** More lines than this are not sent but pasted; at least 1. */
  readonly maxLines: number
  /** The nick of a mentioned person in this channel; the label is written for others. */
  readonly nickOf?: (userId: string) => string | undefined
  /** The channel a mentioned room is linked with; its label is written for others. */
  readonly channelOf?: (room: string) => string | undefined
  /** How inline code looks: mIRC's monospace code (the default), backticks, or no mark. Code blocks: code or no mark. */
  readonly monospace?: 'codes' | 'backticks' | 'none'
  /** mIRC's 16 colors (default), its 99, exact ones by hex codes, or none (channels with `+c` refuse or strip them). */
  readonly colors?: 'numbers' | 'extended' | 'hex' | 'none'
  /** Who speaks, where one bot relays for many: written before every line, in a form that does not ring. */
  readonly speaker?: Speaker
  /** Bytes kept free in a paste's preview, for a space and the link; 100 unless given, at most `budgetBytes` − 156. */
  readonly reserveBytes?: number
}

/** A relayed author; `action` writes `* name`, `notice` `-name-`, `text` `<name>`. */
export interface Speaker {
  readonly name: string
  readonly kind: 'text' | 'action' | 'notice'
}

/** Lines to send as they are, or a message too long for the channel. */
export type IrcRendering =
  | { readonly kind: 'lines'; readonly lines: readonly string[] }
  /** Send `preview`, a space and a link to `fullText`, in one line. */
  | { readonly kind: 'paste'; readonly preview: string; readonly fullText: string }

export const MIN_RENDER_BUDGET_BYTES = 256
const DEFAULT_RESERVE_BYTES = 100
/** What prefixes (speaker, quote marks, bullet) may take together is kept under 92 bytes. */
const MAX_SPEAKER_BYTES = 60
const MAX_QUOTE_DEPTH = 3
const MAX_INDENT_DEPTH = 3

/**
 * A message as IRC lines. No line is longer than the budget, empty, or holds CR, LF, NUL or CTCP's \x01, whatever the
 * tree says. A message that nothing remains of gives no lines. For an ACTION, take its nine bytes off the budget
 * and wrap each line. Throws RangeError for budgets out of range.
 */
export function renderForIrc(doc: Doc, options: IrcRenderOptions): IrcRendering {
  const { budgetBytes, maxLines, reserveBytes = DEFAULT_RESERVE_BYTES } = options
  if (!(budgetBytes >= MIN_RENDER_BUDGET_BYTES) || !(maxLines >= 1) || !(budgetBytes - reserveBytes >= 156)) {
    throw new RangeError(
      `Cannot render IRC lines of ${budgetBytes} bytes (${reserveBytes} in reserve), ${maxLines} lines`,
    )
  }
  const normal = normalizeDoc(doc)
  const logical = toIrcLines(normal, options)
  const lines: string[] = []
  for (const line of splitLines(logical, budgetBytes)) {
    if (lines.length === maxLines) {
      return {
        kind: 'paste',
        preview: previewOf(logical, budgetBytes - reserveBytes),
        fullText: toPlain(normal),
      }
    }
    lines.push(line)
  }
  return { kind: 'lines', lines }
}

function previewOf(logical: readonly LogicalLine[], budgetBytes: number): string {
  const ellipsis = `${CODE.reset}…`
  for (const line of splitLines(logical, budgetBytes - byteLength(ellipsis))) {
    // oxlint-disable-next-line no-control-regex -- only a line with codes needs the reset
    return line + (/[\x02-\x1f]/.test(line) ? ellipsis : '…')
  }
  return ''
}

/** A message as lines of any length, for `splitLines`. Expects a normalized tree. */
export function toIrcLines(
  doc: Doc,
  options: Omit<IrcRenderOptions, 'budgetBytes' | 'maxLines'> = {},
): LogicalLine[] {
  const prefix = options.speaker === undefined ? '' : speakerPrefix(options.speaker)
  const lines = blocksLines(doc.blocks, { prefix, quotes: 0, indents: 0, options })
  const [block] = doc.blocks
  if (lines[0] === undefined || block?.type !== 'paragraph' || !startsWithPerson(block.children)) return lines
  return [{ ...lines[0], segments: addressed(lines[0].segments) }, ...lines.slice(1)]
}

/**
 * `<name> ` with a zero-width space after the name's first letter: the person has an own IRC client in the channel
 * more often than one thinks, and it would ring at every line they write in Matrix.
 */
export function speakerPrefix({ name, kind }: Speaker): string {
  const shown = unpingable(shortName(name))
  if (kind === 'action') return `* ${shown} `
  return kind === 'notice' ? `-${shown}- ` : `<${shown}> `
}

function shortName(name: string): string {
  let short = truncateGraphemes(oneLine(name).trim().slice(0, 200), 32)
  for (let max = 31; byteLength(short) > MAX_SPEAKER_BYTES - 8 && max > 0; max--)
    short = truncateGraphemes(short, max)
  return byteLength(short) > MAX_SPEAKER_BYTES - 8 || short === '' ? '?' : short
}

/** A nick that reads the same but rings nobody. One letter alone cannot be helped and stays. */
export function unpingable(nick: string): string {
  const [first, ...rest] = graphemes(nick)
  return first === undefined || rest.length === 0 ? nick : `${first}\u200b${rest.join('')}`
}

interface BlockContext {
  readonly prefix: string
  readonly quotes: number
  readonly indents: number
  readonly options: Omit<IrcRenderOptions, 'budgetBytes' | 'maxLines'>
}

function blocksLines(blocks: readonly Block[], context: BlockContext): LogicalLine[] {
  const lines: LogicalLine[] = []
  for (const block of blocks) for (const line of blockLines(block, context)) lines.push(line)
  return lines
}

function blockLines(block: Block, context: BlockContext): LogicalLine[] {
  const { prefix, options } = context
  const line = (segments: readonly Segment[]): LogicalLine => ({ first: prefix, rest: prefix, segments })
  switch (block.type) {
    case 'paragraph':
      return inlineLines(block.children, options).map(line)
    case 'heading':
      return inlineLines([{ type: 'strong', children: block.children }], options).map(line)
    case 'quote': {
      const deeper = context.quotes < MAX_QUOTE_DEPTH
      return blocksLines(block.blocks, {
        ...context,
        prefix: deeper ? `${prefix}> ` : prefix,
        quotes: context.quotes + 1,
      })
    }
    case 'code':
      return block.text.split('\n').map((text) => line([codeLine(text, options)]))
    case 'list':
      return block.items.flatMap((item, index) => itemLines(item, bulletOf(block, index), context))
    case 'table':
      return block.rows.map((row, index) => line(rowSegments(row, index < block.headerRows, options)))
    case 'rule':
      return [line([{ text: '――――――――', style: PLAIN_STYLE }])]
  }
}

function codeLine(text: string, options: BlockContext['options']): Segment {
  const style = (options.monospace ?? 'codes') === 'codes' ? { mono: true as const } : PLAIN_STYLE
  return { text: text.replaceAll('\t', '    '), style }
}

function bulletOf(list: Extract<Block, { type: 'list' }>, index: number): string {
  return list.ordered ? `${list.start + index}. ` : '• '
}

function itemLines(item: readonly Block[], bullet: string, context: BlockContext): LogicalLine[] {
  const indent = context.indents < MAX_INDENT_DEPTH ? '  ' : ''
  const inner = { ...context, prefix: context.prefix + indent, indents: context.indents + 1 }
  const [first, ...rest] = blocksLines(item, inner)
  if (first === undefined) return []
  // A list directly in a list has its own bullet; two would only add up.
  const own =
    item[0]?.type === 'list' ? first.first : context.prefix + bullet + first.first.slice(inner.prefix.length)
  return [{ ...first, first: own }, ...rest]
}

function rowSegments(
  row: readonly (readonly Inline[])[],
  heading: boolean,
  options: BlockContext['options'],
): Segment[] {
  const segments: Segment[] = []
  for (const [index, cell] of row.entries()) {
    if (index > 0) segments.push({ text: ' | ', style: PLAIN_STYLE })
    const children: readonly Inline[] = heading ? [{ type: 'strong', children: cell }] : cell
    const lines = inlineLines(children, options)
    for (const [at, line] of lines.entries()) {
      if (at > 0) segments.push({ text: ' ', style: PLAIN_STYLE })
      for (const segment of line) segments.push(segment)
    }
  }
  return segments
}

/** Segments of each line of inline text. */
function inlineLines(inlines: readonly Inline[], options: BlockContext['options']): Segment[][] {
  const builder = new SegmentBuilder()
  const runs = flattenInlines(inlines)
  let spoiler: string | undefined
  for (let at = 0; at < runs.length; at++) {
    const { leaf, style } = runs[at] as Run
    if (leaf.type === 'lineBreak') {
      builder.newLine()
      continue
    }
    if (style.spoiler !== undefined && style.spoiler !== spoiler) {
      builder.push({ text: spoilerLabel(style.spoiler), style: PLAIN_STYLE })
    }
    spoiler = style.spoiler
    const end = endOfLink(runs, at)
    if (style.link === undefined) pushLeaf(builder, leaf, style, options)
    else pushLink(builder, runs.slice(at, end), style.link, options)
    at = end - 1
  }
  return builder.lines
}

/**
 * Hidden text is black on black, as IRC users expect it (select it to read), after a label that tells those with
 * other colors, a screen reader or a log file what the bar is.
 */
function spoilerLabel(reason: string): string {
  const safe = truncateGraphemes(reason.replaceAll('[', '(').replaceAll(']', ')'), 100)
  return safe === '' ? '[spoiler] ' : `[spoiler: ${safe}] `
}

function endOfLink(runs: readonly Run[], at: number): number {
  const { link } = (runs[at] as Run).style
  let end = at + 1
  if (link === undefined) return end
  while (
    end < runs.length &&
    (runs[end] as Run).style.link === link &&
    (runs[end] as Run).leaf.type !== 'lineBreak'
  )
    end++
  return end
}

function pushLink(
  builder: SegmentBuilder,
  runs: readonly Run[],
  url: string,
  options: BlockContext['options'],
): void {
  const { style } = runs[0] as Run
  const label = runs.map((run) => leafText(run.leaf)).join('')
  const target = oneLine(url).replaceAll(' ', '%20')
  if (linkText(label, target) === target) return builder.pushUrl(target, ircStyle(style, options))
  for (const run of runs) pushLeaf(builder, run.leaf, run.style, options)
  builder.push({ text: ' (', style: PLAIN_STYLE })
  builder.push({ text: target, style: PLAIN_STYLE, whole: true })
  builder.push({ text: ')', style: PLAIN_STYLE })
}

function pushLeaf(builder: SegmentBuilder, leaf: Leaf, style: Style, options: BlockContext['options']): void {
  const look = ircStyle(style, options)
  if (leaf.type === 'code') {
    const mode = options.monospace ?? 'codes'
    if (mode === 'codes') builder.push({ text: leaf.text, style: { ...look, mono: true } })
    else builder.push({ text: mode === 'backticks' ? `\`${leaf.text}\`` : leaf.text, style: look })
  } else if (leaf.type === 'mention')
    builder.push({ text: mentionName(leaf, options), style: look, whole: true })
  else builder.push({ text: leafText(leaf), style: look })
}

function mentionName(mention: Extract<Leaf, { type: 'mention' }>, options: BlockContext['options']): string {
  const { target, label } = mention
  if (target.kind === 'person') return oneLine(options.nickOf?.(target.userId) ?? label)
  if (target.kind === 'room') return oneLine(options.channelOf?.(target.room) ?? label)
  return '@room'
}

function ircStyle(style: Style, options: BlockContext['options']): IrcStyle {
  const colors = options.colors ?? 'numbers'
  const hidden = style.spoiler !== undefined
  const color = (value: string): string =>
    colors === 'hex' ? value : nearestColor(value, colors === 'extended')
  const fg = hidden ? '01' : style.fg === undefined ? undefined : color(style.fg)
  const bg = hidden ? '01' : style.bg === undefined ? undefined : color(style.bg)
  // Two colors that become one number would hide the text.
  const visible = hidden || fg === undefined || fg !== bg
  return {
    ...(style.strong && { bold: true as const }),
    ...(style.emph && { italic: true as const }),
    ...(style.underline && { underline: true as const }),
    ...(style.strike && { strike: true as const }),
    ...(colors !== 'none' && visible && fg !== undefined && { fg }),
    ...(colors !== 'none' && visible && bg !== undefined && { bg }),
  }
}

/** Collects the segments of lines and keeps bare links apart from the words around them. */
class SegmentBuilder {
  readonly lines: Segment[][] = [[]]
  #url: string | undefined

  newLine(): void {
    this.lines.push([])
    this.#url = undefined
  }

  push(segment: Segment): void {
    if (segment.text === '') return
    // The word that follows must not become part of the link.
    if (this.#url !== undefined && !endsLink(this.#url, segment.text))
      this.#append({ text: ' ', style: PLAIN_STYLE })
    this.#url = undefined
    this.#append(segment)
  }

  pushUrl(url: string, style: IrcStyle): void {
    const before = this.lines.at(-1)?.at(-1)?.text ?? ''
    if (/[\p{L}\p{N}_]$/u.test(before)) this.push({ text: ' ', style: PLAIN_STYLE })
    this.push({ text: url, style, whole: true })
    this.#url = url
  }

  #append(segment: Segment): void {
    this.lines.at(-1)?.push(segment)
  }
}

function endsLink(url: string, following: string): boolean {
  if (following.startsWith(' ')) return true
  const word = following.slice(0, 80).split(' ', 1)[0] ?? ''
  return linkify(url + word)[0]?.text === url
}

function startsWithPerson(inlines: readonly Inline[]): boolean {
  const leaf = flattenInlines(inlines.slice(0, 1))[0]?.leaf
  return leaf?.type === 'mention' && leaf.target.kind === 'person'
}

/** `nick: ` for a message that begins by calling somebody: how IRC addresses people, and what their clients ring for. */
function addressed(segments: readonly Segment[]): Segment[] {
  const [mention, next, ...rest] = segments
  // Not `whole`: something is written before the mention, such as the label of a spoiler.
  if (mention?.whole !== true || !next?.text.startsWith(' ')) return [...segments]
  return [mention, { text: ':', style: mention.style }, next, ...rest]
}
