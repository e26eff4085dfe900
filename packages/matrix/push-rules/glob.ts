/**
 * Glob-style matching: `*` is zero or more characters, `?` exactly one. Case is ignored. Patterns come from
 * users and texts from strangers, so no regular expression that could backtrack: a compiled pattern reads its
 * text once, with the set of live positions kept as bits.
 * https://spec.matrix.org/v1.19/appendices/#glob-style-matching
 */
export interface Glob {
  /** Whether the whole of an already lowercased text matches. */
  readonly matches: (lowercased: string) => boolean
  /** Whether a part of it matches that begins and ends at a word boundary. */
  readonly matchesWords: (lowercased: string) => boolean
}

/** The longest pattern, in UTF-16 units: reading a text costs at most its length times this over 31. */
export const MAX_GLOB_LENGTH = 512

/** Prepares a pattern, or undefined if it is longer than `MAX_GLOB_LENGTH` (a run of `*` counts as one). */
export function compileGlob(pattern: string): Glob | undefined {
  const lower = pattern.replace(/\*+/g, '*').toLowerCase()
  if (lower.length > MAX_GLOB_LENGTH) return undefined
  if (lower !== '' && !/[*?]/.test(lower)) return literal(lower)
  if (lower === '*') return EVERYTHING
  const machine = compile(lower)
  return {
    matches: (text) => run(machine, text, false),
    matchesWords: (text) => run(machine, text, true),
  }
}

const EVERYTHING: Glob = { matches: () => true, matchesWords: () => true }

function literal(lower: string): Glob {
  return { matches: (text) => text === lower, matchesWords: (text) => containsWord(text, lower) }
}

/** Whether `word`, taken literally, stands in `text` between word boundaries. Both are lowercased. */
export function containsWord(text: string, word: string): boolean {
  for (let at = text.indexOf(word); at !== -1; at = text.indexOf(word, at + 1)) {
    if (isBoundary(text, at - 1) && isBoundary(text, at + word.length)) return true
    if (at >= text.length) return false
  }
  return false
}

/** The start or end of the text, or a character that is none of `A-Z`, `a-z`, `0-9` and `_`. */
function isBoundary(text: string, index: number): boolean {
  if (index < 0 || index >= text.length) return true
  const c = text.charCodeAt(index)
  return !((c >= 97 && c <= 122) || (c >= 48 && c <= 57) || c === 95 || (c >= 65 && c <= 90))
}

/** 31 positions to a word, so that every word stays a small integer. */
const BITS = 31
const FULL = 0x7fffffff

interface Machine {
  readonly words: number
  /** Positions reached after all characters of the pattern; a text matches if this one is live at its end. */
  readonly last: number
  /** Bit n: the n-th character of the pattern may be this one. */
  readonly byCharacter: ReadonlyMap<number, Int32Array>
  /** Bit n: the n-th character of the pattern is `?`. */
  readonly any: Int32Array
  /** Bit n: `*` stands before the n-th character, so that the position outlives any character. */
  readonly stay: Int32Array
}

function compile(lower: string): Machine {
  const tokens = Array.from(lower)
  const words = Math.floor(tokens.length / BITS) + 1
  const byCharacter = new Map<number, Int32Array>()
  const any = new Int32Array(words)
  const stay = new Int32Array(words)
  let position = 0
  for (const token of tokens) {
    if (token === '*') {
      setBit(stay, position)
      continue
    }
    if (token === '?') setBit(any, position)
    else setBit(maskOf(byCharacter, token.codePointAt(0) ?? 0, words), position)
    position++
  }
  for (const mask of byCharacter.values()) for (let w = 0; w < words; w++) mask[w]! |= any[w]!
  return { words, last: position, byCharacter, any, stay }
}

function maskOf(masks: Map<number, Int32Array>, character: number, words: number): Int32Array {
  const known = masks.get(character)
  if (known) return known
  const mask = new Int32Array(words)
  masks.set(character, mask)
  return mask
}

function setBit(mask: Int32Array, position: number): void {
  mask[Math.floor(position / BITS)]! |= 1 << (position % BITS)
}

function hasBit(mask: Int32Array, position: number): boolean {
  return (mask[Math.floor(position / BITS)]! & (1 << (position % BITS))) !== 0
}

/** Reads the text once. In `inWords` mode a match may begin at each boundary and end at each. */
function run(machine: Machine, text: string, inWords: boolean): boolean {
  const live = new Int32Array(machine.words)
  live[0] = 1
  for (let i = 0; i < text.length;) {
    if (inWords && isBoundary(text, i - 1)) live[0]! |= 1
    if (inWords && hasBit(live, machine.last) && isBoundary(text, i)) return true
    const character = text.codePointAt(i) ?? 0
    step(machine, live, machine.byCharacter.get(character) ?? machine.any)
    i += character > 0xffff ? 2 : 1
  }
  if (inWords && isBoundary(text, text.length - 1)) live[0]! |= 1
  return hasBit(live, machine.last)
}

/** Moves the live positions over one character: those it fits go one further, those under `*` also stay. */
function step(machine: Machine, live: Int32Array, fits: Int32Array): void {
  let carry = 0
  for (let w = 0; w < machine.words; w++) {
    const before = live[w]!
    const moved = before & fits[w]!
    live[w] = (before & machine.stay[w]!) | ((moved << 1) & FULL) | carry
    carry = (moved >>> (BITS - 1)) & 1
  }
}
