import { foldText } from './fold.ts'

/** Characters (UTF-16 units) of a text that are looked at: no event is longer. */
const MAX_TEXT = 65_536
/** Distinct tokens of one text. */
const MAX_TOKENS = 4_096
/** Characters of one token; of a longer word the beginning counts, in the index as in the search. */
const MAX_TOKEN = 48
/** Terms of one search. */
const MAX_TERMS = 32

/** Words, or pieces of text without borders between words; a picture is a word of its own. */
export const WORD = /[\p{L}\p{M}\p{N}]+|\p{Extended_Pictographic}/gu

/** Scripts that put no space between words, and Korean, which writes what other languages say by small words at the end of one. */
const UNSPACED =
  '\\p{scx=Han}\\p{scx=Hira}\\p{scx=Kana}\\p{scx=Hang}\\p{scx=Bopo}\\p{scx=Yiii}\\p{scx=Thai}\\p{scx=Laoo}' +
  '\\p{scx=Khmr}\\p{scx=Mymr}\\p{scx=Lana}\\p{scx=Talu}\\p{scx=Java}\\p{scx=Bali}'
const ANY_UNSPACED = new RegExp(`[${UNSPACED}]`, 'u')
const PIECE = new RegExp(`[${UNSPACED}]+|[^${UNSPACED}]+`, 'gu')
/** A letter with its marks: "ดี" is one, as its reader counts. */
const LETTER = /\P{M}\p{M}*|\p{M}+/gu

/** One thing sought: a token, or with `prefix` every token that begins with it. */
export interface SearchTerm {
  readonly token: string
  readonly prefix: boolean
}

/**
 * The distinct tokens of a text for an index, in the order of their first appearance. Words are folded (`foldText`); text in
 * scripts without borders between words gives every pair of neighboring letters, and its last letter alone, so that each
 * letter begins some token. At most 4,096 tokens of at most 48 characters.
 */
export function tokenize(text: string): string[] {
  const tokens = new Set<string>()
  for (const piece of pieces(text)) {
    const letters = unspacedLetters(piece)
    if (letters === undefined) tokens.add(cut(piece))
    else for (let at = 0; at < letters.length; at += 1) tokens.add(pair(letters, at))
    if (tokens.size >= MAX_TOKENS) break
  }
  return [...tokens].slice(0, MAX_TOKENS)
}

/**
 * What a text must hold so that it is found by these words: all of the terms, in any order. A single letter of a script
 * without borders between words is sought as the beginning of a token. At most 32 distinct terms; none when there is
 * nothing in the words that an index would hold.
 */
export function searchTerms(words: string): SearchTerm[] {
  const terms = new Map<string, SearchTerm>()
  for (const piece of pieces(words)) {
    for (const term of termsOf(piece)) terms.set(term.token, term)
    if (terms.size >= MAX_TERMS) break
  }
  return [...terms.values()].slice(0, MAX_TERMS)
}

function termsOf(piece: string): SearchTerm[] {
  const letters = unspacedLetters(piece)
  if (letters === undefined) return [{ token: cut(piece), prefix: false }]
  if (letters.length === 1) return [{ token: cut(piece), prefix: true }]
  return letters.slice(0, -1).map((_, at) => ({ token: pair(letters, at), prefix: false }))
}

/** The words of a text, folded, each parted where a script with borders between words meets one without. */
export function* pieces(text: string): Generator<string> {
  for (const [word] of foldText(text.slice(0, MAX_TEXT)).matchAll(WORD)) {
    if (isUnspaced(word)) yield* word.match(PIECE) ?? []
    else yield word
  }
}

function unspacedLetters(piece: string): string[] | undefined {
  return isUnspaced(piece) ? (piece.match(LETTER) ?? []) : undefined
}

/** Whether a text holds letters of a script that puts no borders between words. */
export function isUnspaced(text: string): boolean {
  return ANY_UNSPACED.test(text)
}

function pair(letters: readonly string[], at: number): string {
  return cut((letters[at] ?? '') + (letters[at + 1] ?? ''))
}

/** The token within its length, never through the middle of a surrogate pair. */
function cut(token: string): string {
  if (token.length <= MAX_TOKEN) return token
  const last = token.charCodeAt(MAX_TOKEN - 1)
  return token.slice(0, last >= 0xd800 && last < 0xdc00 ? MAX_TOKEN - 1 : MAX_TOKEN)
}
