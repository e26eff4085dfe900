/** Whether a code point belongs to a set. */
export type CodePointTest = (codePoint: number) => boolean

/** A pattern, parsed. */
export type PatternNode =
  | { readonly kind: 'empty' }
  | { readonly kind: 'one'; readonly test: CodePointTest }
  | { readonly kind: 'start' | 'end' }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'repeat'; readonly part: PatternNode; readonly min: number; readonly max: number }

const between =
  (low: number, high: number): CodePointTest =>
  (c) =>
    c >= low && c <= high
const anyOf =
  (tests: readonly CodePointTest[]): CodePointTest =>
  (c) =>
    tests.some((test) => test(c))
const not =
  (test: CodePointTest): CodePointTest =>
  (c) =>
    !test(c)

const isDigit = between(48, 57)
const isWord = anyOf([isDigit, between(65, 90), between(97, 122), between(95, 95)])
const isSpace: CodePointTest = (c) => /\s/.test(String.fromCodePoint(c))
const isLineEnd = anyOf([between(10, 10), between(13, 13), between(0x2028, 0x2029)])

const CLASSES: Readonly<Record<string, CodePointTest>> = {
  d: isDigit,
  D: not(isDigit),
  w: isWord,
  W: not(isWord),
  s: isSpace,
  S: not(isSpace),
}
const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 }

/** Deeper nesting than any namespace needs. */
const MAX_DEPTH = 50
/** A counted repetition is written out that often. */
const MAX_REPEAT = 255

/**
 * Parses the part of regular expressions that can be matched in linear time: literals, `.`, classes, groups,
 * alternatives, repetition, `^` and `$`. @throws SyntaxError with a sentence for everything else
 */
export function parsePattern(source: string): PatternNode {
  const reader = new PatternReader(source)
  const node = reader.choice(0)
  if (!reader.atEnd()) throw new SyntaxError('has a ")" without a "("')
  return node
}

class PatternReader {
  readonly #chars: readonly string[]
  #at = 0

  constructor(source: string) {
    this.#chars = Array.from(source)
  }

  atEnd(): boolean {
    return this.#at >= this.#chars.length
  }

  choice(depth: number): PatternNode {
    if (depth > MAX_DEPTH) throw new SyntaxError('is nested too deeply')
    const parts = [this.#sequence(depth)]
    while (this.#take('|')) parts.push(this.#sequence(depth))
    return parts.length === 1 ? parts[0]! : { kind: 'choice', parts }
  }

  #peek(): string | undefined {
    return this.#chars[this.#at]
  }

  #take(char: string): boolean {
    if (this.#peek() !== char) return false
    this.#at++
    return true
  }

  #sequence(depth: number): PatternNode {
    const parts: PatternNode[] = []
    for (let next = this.#peek(); next !== undefined && next !== '|' && next !== ')'; next = this.#peek()) {
      parts.push(this.#repeated(this.#atom(depth)))
    }
    return parts.length === 0 ? { kind: 'empty' } : { kind: 'sequence', parts }
  }

  #atom(depth: number): PatternNode {
    const char = this.#chars[this.#at++]!
    if (char === '(') return this.#group(depth)
    if (char === '[') return { kind: 'one', test: this.#charClass() }
    if (char === '.') return { kind: 'one', test: not(isLineEnd) }
    if (char === '^') return { kind: 'start' }
    if (char === '$') return { kind: 'end' }
    if (char === '\\') return this.#escape()
    if ('*+?{'.includes(char)) throw new SyntaxError(`has a "${char}" with nothing to repeat before it`)
    return literal(char.codePointAt(0)!)
  }

  #group(depth: number): PatternNode {
    if (this.#take('?')) {
      const named = /^(?:P?<[A-Za-z_]\w*>|:)/.exec(this.#chars.slice(this.#at, this.#at + 60).join(''))
      if (named === null) {
        throw new SyntaxError('looks ahead or behind, or sets options, inside "(?": that is not supported')
      }
      this.#at += named[0].length
    }
    const node = this.choice(depth + 1)
    if (!this.#take(')')) throw new SyntaxError('has a "(" without a ")"')
    return node
  }

  #escape(): PatternNode {
    const char = this.#chars[this.#at++]
    if (char === undefined) throw new SyntaxError('ends with a lone backslash')
    const test = CLASSES[char]
    if (test !== undefined) return { kind: 'one', test }
    return literal(escapedCodePoint(char))
  }

  #repeated(part: PatternNode): PatternNode {
    let node = part
    for (let bounds = this.#quantifier(); bounds !== undefined; bounds = this.#quantifier()) {
      if (node !== part) throw new SyntaxError('repeats a repetition: put it in a group')
      node = { kind: 'repeat', part: node, min: bounds[0], max: bounds[1] }
    }
    return node
  }

  #quantifier(): readonly [number, number] | undefined {
    const bounds = this.#bounds()
    // Whether it is greedy changes what a group captures, not whether there is a match.
    if (bounds !== undefined) this.#take('?')
    return bounds
  }

  #bounds(): readonly [number, number] | undefined {
    if (this.#take('*')) return [0, Infinity]
    if (this.#take('+')) return [1, Infinity]
    if (this.#take('?')) return [0, 1]
    if (this.#peek() !== '{') return undefined
    const found = /^\{(\d{1,4})(,(\d{0,4}))?\}/.exec(this.#chars.slice(this.#at, this.#at + 12).join(''))
    if (found === null)
      throw new SyntaxError('has a "{" that is no repetition; write "\\{" for the character')
    this.#at += found[0].length
    const min = Number(found[1])
    const max = found[2] === undefined ? min : found[3] === '' ? Infinity : Number(found[3])
    if (min > max) throw new SyntaxError(`has the impossible repetition ${found[0]}`)
    if (min > MAX_REPEAT || (max !== Infinity && max > MAX_REPEAT)) {
      throw new SyntaxError(`repeats more than ${MAX_REPEAT} times`)
    }
    return [min, max]
  }

  #charClass(): CodePointTest {
    const negated = this.#take('^')
    const tests: CodePointTest[] = []
    while (!this.#take(']')) {
      const low = this.#classItem()
      const isRange = typeof low === 'number' && this.#peek() === '-' && this.#chars[this.#at + 1] !== ']'
      if (!isRange) {
        tests.push(typeof low === 'number' ? between(low, low) : low)
        continue
      }
      this.#at++
      const high = this.#classItem()
      if (typeof high !== 'number' || high < low) throw new SyntaxError('has an impossible range in "[…]"')
      tests.push(between(low, high))
    }
    return negated ? not(anyOf(tests)) : anyOf(tests)
  }

  #classItem(): number | CodePointTest {
    const char = this.#chars[this.#at++]
    if (char === undefined) throw new SyntaxError('has a "[" without a "]"')
    if (char !== '\\') return char.codePointAt(0)!
    const escaped = this.#chars[this.#at++]
    if (escaped === undefined) throw new SyntaxError('has a "[" without a "]"')
    return CLASSES[escaped] ?? escapedCodePoint(escaped)
  }
}

function literal(codePoint: number): PatternNode {
  return { kind: 'one', test: (c) => c === codePoint }
}

function escapedCodePoint(char: string): number {
  const control = CONTROLS[char]
  if (control !== undefined) return control
  if (/[A-Za-z0-9]/.test(char)) throw new SyntaxError(`uses "\\${char}", which is not supported`)
  return char.codePointAt(0)!
}
