import { truncateGraphemes } from '../../formatting/emoji.ts'
import { oneLine } from '../../formatting/normalize.ts'
import type { Doc, Inline } from '../../formatting/tree.ts'

/**
 * What replies and reactions become on servers without tags for them. A redaction becomes nothing there: the line
 * was read, and one more about it would only point at it. Edits: `editAsCorrection`.
 */

/** The message that is replied or reacted to, as the channel saw it. */
export interface Quoted {
  /** Its author's nick in the channel. */
  readonly nick: string
  /** Its plain text; leave out where it is the line directly above, which needs no reminder. */
  readonly text?: string
}

const EXCERPT_GRAPHEMES = 40

/**
 * A reply as `nick: (re “first words…”) text`, so that the person is called as IRC calls people. A reply that
 * already begins by mentioning somebody keeps only that mention. `userId` is the quoted author's, where known.
 */
export function replyFallback(doc: Doc, quoted: Quoted, userId?: string): Doc {
  const [first, ...rest] = doc.blocks
  if (first === undefined) return doc
  const excerpt = excerptOf(quoted.text)
  const about: Inline = { type: 'text', text: excerpt === '' ? ': ' : `: (re “${excerpt}”) ` }
  const own = first.type === 'paragraph' ? first.children : []
  const children = isPerson(own[0])
    ? [own[0], about, ...withoutColon(own.slice(1))]
    : [calledPerson(oneLine(quoted.nick), userId), about, ...own]
  return { blocks: [{ type: 'paragraph', children }, ...(first.type === 'paragraph' ? rest : doc.blocks)] }
}

function isPerson(inline: Inline | undefined): inline is Extract<Inline, { type: 'mention' }> {
  return inline?.type === 'mention' && inline.target.kind === 'person'
}

function calledPerson(label: string, userId: string | undefined): Inline {
  if (userId === undefined) return { type: 'text', text: label }
  return { type: 'mention', target: { kind: 'person', userId }, label }
}

function withoutColon(inlines: readonly Inline[]): Inline[] {
  const [next, ...others] = inlines
  if (next?.type !== 'text') return [...inlines]
  return [{ type: 'text', text: next.text.replace(/^[:,]? */, '') }, ...others]
}

/** The text of an ACTION for a reaction: `reacted 👍 to nick: “first words…”`. */
export function reactionFallback(key: string, quoted: Quoted): string {
  const shown = truncateGraphemes(oneLine(key).trim(), 16) || '?'
  const excerpt = excerptOf(quoted.text)
  return `reacted ${shown} to ${oneLine(quoted.nick)}${excerpt === '' ? '' : `: “${excerpt}”`}`
}

/** The first words of a message, on one line, cut at a word where one ends nearby. */
export function excerptOf(text: string | undefined): string {
  const line = oneLine((text ?? '').slice(0, 1000))
    .replace(/ {2,}/g, ' ')
    .trim()
  const cut = truncateGraphemes(line, EXCERPT_GRAPHEMES)
  if (cut === line) return line
  const space = cut.lastIndexOf(' ')
  return space > cut.length / 2 ? `${cut.slice(0, space)}…` : cut
}
