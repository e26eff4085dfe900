import { linkify } from '../../formatting/linkify.ts'
import { normalizeDoc } from '../../formatting/normalize.ts'
import { nestRuns, type Run, type Style } from '../../formatting/runs.ts'
import type { Block, Doc, Inline } from '../../formatting/tree.ts'
import { parseCodes, type Segment } from './codes.ts'

/** A person that a nick stands for; `label` is how the mention reads in Matrix. */
export interface Person {
  readonly userId: string
  readonly label: string
}

export interface FromIrcContext {
  /** Who a nick is (any case), or undefined for words that are no nick in the channel. */
  readonly personOf?: (nick: string) => Person | undefined
}

/** What a PRIVMSG or NOTICE text is: something said, an ACTION (`/me`), or another CTCP request, never relayed. */
export type IrcMessage =
  | { readonly kind: 'text' | 'action'; readonly doc: Doc }
  | { readonly kind: 'ctcp'; readonly command: string; readonly params: string }

/**
 * The meaning of a message's text (its last parameter). Total; linear.
 * CTCP: https://modern.ircdocs.horse/ctcp
 */
export function parseIrcMessage(text: string, context: FromIrcContext = {}): IrcMessage {
  if (!text.startsWith('\x01')) return { kind: 'text', doc: fromIrc(text, context) }
  const inner = text.slice(1, text.length > 1 && text.endsWith('\x01') ? -1 : undefined)
  const space = inner.indexOf(' ')
  const command = (space === -1 ? inner : inner.slice(0, space)).toUpperCase()
  const params = space === -1 ? '' : inner.slice(space + 1)
  return command === 'ACTION'
    ? { kind: 'action', doc: fromIrc(params, context) }
    : { kind: 'ctcp', command, params }
}

/** No message is longer, a multiline batch included; of what is, the rest is left out. */
const MAX_TEXT = 65_536

/**
 * The tree of IRC text: formatting codes, links, nicks as mentions (`nick: …` at the start, and inside), lines that
 * begin with `> ` as a quote. Line feeds (of a multiline batch) separate lines, each starting unformatted. Text in one
 * color on the same color is a spoiler. Total; linear.
 */
export function fromIrc(text: string, context: FromIrcContext = {}): Doc {
  const blocks: Block[] = []
  let quoted: Inline[] = []
  let plain: Inline[] = []
  const flush = (): void => {
    if (quoted.length > 0) blocks.push({ type: 'quote', blocks: [{ type: 'paragraph', children: quoted }] })
    if (plain.length > 0) blocks.push({ type: 'paragraph', children: plain })
    quoted = []
    plain = []
  }
  for (const line of text.slice(0, MAX_TEXT).split(/\r\n|\r|\n/)) {
    const isQuote = line.startsWith('> ')
    if (isQuote ? plain.length > 0 : quoted.length > 0) flush()
    const target = isQuote ? quoted : plain
    if (target.length > 0) target.push({ type: 'lineBreak' })
    for (const inline of lineInlines(isQuote ? line.slice(2) : line, context)) target.push(inline)
  }
  flush()
  return normalizeDoc({ blocks })
}

function lineInlines(line: string, context: FromIrcContext): Inline[] {
  const segments = parseCodes(line)
  const runs: Run[] = []
  let reason = ''
  for (const [index, segment] of segments.entries()) {
    const hidden = isHidden(segment)
    const startsSpoiler = !hidden && index + 1 < segments.length && isHidden(segments[index + 1] as Segment)
    const label = startsSpoiler ? spoilerLabel(segment.text) : undefined
    if (!hidden) reason = label?.reason ?? ''
    const text = label === undefined ? segment.text : segment.text.slice(0, -label.length)
    const style = styleOf(segment, hidden ? reason : undefined)
    if (segment.style.mono) runs.push({ style, leaf: { type: 'code', text } })
    else for (const run of textRuns(text, style, index === 0, context)) runs.push(run)
  }
  return nestRuns(runs)
}

function isHidden({ style }: Segment): boolean {
  return style.fg !== undefined && style.fg === style.bg
}

/** The `[spoiler: reason] ` our own renderer puts before hidden text, and its length. */
function spoilerLabel(text: string): { reason: string; length: number } | undefined {
  const match = /\[spoiler(?:: ([^[\]]+))?\] $/.exec(text.slice(-400))
  return match === null ? undefined : { reason: match[1] ?? '', length: match[0].length }
}

function styleOf({ style }: Segment, spoiler: string | undefined): Style {
  return {
    ...(style.bold && { strong: true as const }),
    ...(style.italic && { emph: true as const }),
    ...(style.underline && { underline: true as const }),
    ...(style.strike && { strike: true as const }),
    ...(spoiler !== undefined && { spoiler }),
    ...(spoiler === undefined && style.fg !== undefined && { fg: style.fg }),
    ...(spoiler === undefined && style.bg !== undefined && { bg: style.bg }),
  }
}

function* textRuns(text: string, style: Style, first: boolean, context: FromIrcContext): Generator<Run> {
  let atStart = first
  for (const part of linkify(text)) {
    if (part.isUrl) yield { style: { ...style, link: part.text }, leaf: { type: 'text', text: part.text } }
    else yield* mentionRuns(part.text, style, atStart, context)
    atStart = false
  }
}

/** Longer words are no nick on any server. */
const MAX_NICK = 64

function* mentionRuns(text: string, style: Style, atStart: boolean, context: FromIrcContext): Generator<Run> {
  const { personOf } = context
  const plain = (part: string): Run => ({ style, leaf: { type: 'text', text: part } })
  if (personOf === undefined) return yield plain(text)
  let done = 0
  // Nicks may hold brackets and the like, and letters beyond ASCII where the server allows them; `/` is in the nicks
  // of RELAYMSG personas.
  for (const match of text.matchAll(/@?[\p{L}\p{M}\p{N}_[\]\\`^{}|/-]+/gu)) {
    const word = match[0]
    const begin = match.index
    const addressed =
      atStart && begin === 0 && /^[:,](?:\s|$)/.test(text.slice(begin + word.length, begin + word.length + 2))
    const found = findNick(word, addressed, personOf)
    if (found === undefined) continue
    if (begin + found.offset > done) yield plain(text.slice(done, begin + found.offset))
    const { userId, label } = found.person
    yield { style, leaf: { type: 'mention', target: { kind: 'person', userId }, label } }
    done = begin + found.offset + found.length
  }
  if (done < text.length) yield plain(text.slice(done))
}

/**
 * The nick in a word. Inside a sentence a nick of one or two letters is more likely a word, and is taken only with
 * `@`; brackets around a nick are tried away.
 */
function findNick(
  word: string,
  addressed: boolean,
  personOf: (nick: string) => Person | undefined,
): { person: Person; offset: number; length: number } | undefined {
  const at = word.startsWith('@') ? 1 : 0
  const whole = word.slice(at)
  if (whole.length > MAX_NICK) return undefined
  if (!addressed && at === 0 && whole.length < 3) return undefined
  const person = personOf(whole)
  if (person !== undefined) return { person, offset: 0, length: word.length }
  const bare = /[\p{L}\p{N}_](?:.*[\p{L}\p{M}\p{N}_])?/u.exec(whole)
  if (bare === null || bare[0] === whole || (bare[0].length < 3 && !addressed)) return undefined
  const inner = personOf(bare[0])
  return inner === undefined ? undefined : { person: inner, offset: at + bare.index, length: bare[0].length }
}
