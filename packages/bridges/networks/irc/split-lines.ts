import { graphemes } from '../../formatting/emoji.ts'
import { PLAIN_STYLE, transition, type IrcStyle, type Segment } from './codes.ts'

/** One line as its author meant it, of any length. */
export interface LogicalLine {
  /** Written unformatted before the first line on the wire, such as a list's bullet. */
  readonly first: string
  /** Written before each line it goes on in, such as `> ` of a quote. */
  readonly rest: string
  readonly segments: readonly Segment[]
}

/** Below this a line could not hold its codes and one letter; no server's lines are that short. */
export const MIN_BUDGET_BYTES = 64

/**
 * The bytes left for text in one message, from what the server puts before it when it relays it to others.
 * `lineLength` is the server's (512 unless LINELEN says otherwise), line end included; an ACTION's own nine bytes are
 * taken off where `action`. https://modern.ircdocs.horse/#message-format
 */
export function textBudget(prefix: {
  readonly nick: string
  readonly user: string
  readonly host: string
  readonly target: string
  readonly command?: 'PRIVMSG' | 'NOTICE'
  readonly action?: boolean
  readonly lineLength?: number
}): number {
  const { nick, user, host, target, command = 'PRIVMSG', lineLength = 512 } = prefix
  const before = `:${nick}!${user}@${host} ${command} ${target} :`
  return lineLength - '\r\n'.length - byteLength(before) - (prefix.action ? '\x01ACTION \x01'.length : 0)
}

/** Length in UTF-8. */
export function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8')
}

/**
 * Cuts logical lines into lines of at most `budgetBytes` bytes with formatting codes, lazily. Breaks at spaces (which
 * go), keeps `whole` segments and words whole where they fit in a line, else breaks between graphemes; only a
 * grapheme longer than a whole line is broken between code points. Open formatting is opened again on each line.
 * Lines that would be empty or only white space (also the kinds that do not break) are left out. Linear in the text.
 * Throws RangeError for a budget under 64 bytes (or one a prefix of the line uses up).
 */
export function* splitLines(lines: Iterable<LogicalLine>, budgetBytes: number): Generator<string> {
  for (const line of lines) {
    const widest = Math.max(byteLength(line.first), byteLength(line.rest))
    if (!(budgetBytes - widest >= MIN_BUDGET_BYTES)) {
      throw new RangeError(`A line needs ${MIN_BUDGET_BYTES + widest} bytes of room, not ${budgetBytes}`)
    }
    yield* splitLine(line, budgetBytes)
  }
}

function* splitLine(line: LogicalLine, budgetBytes: number): Generator<string> {
  const writer = new LineWriter(line, budgetBytes)
  let gap: readonly Segment[] = []
  for (const unit of unitsOf(line.segments)) {
    if (unit.space) {
      gap = unit.pieces
      continue
    }
    if (!writer.tryWrite([...(writer.atBreak ? [] : gap), ...unit.pieces])) {
      if (!writer.isEmpty && writer.fitsAlone(unit.pieces)) yield* writer.flush()
      if (writer.isEmpty && writer.fitsAlone(unit.pieces)) writer.tryWrite(unit.pieces)
      else {
        if (!writer.isEmpty && !writer.tryWrite(gap)) yield* writer.flush()
        yield* writePieces(writer, unit.pieces)
      }
    }
    gap = []
  }
  if (!writer.isEmpty) yield* writer.flush()
}

/** A word longer than a line: goes on where we are and is broken wherever a line is full. */
function* writePieces(writer: LineWriter, pieces: readonly Segment[]): Generator<string> {
  for (const piece of pieces) {
    if (writer.tryWrite([piece])) continue
    if (piece.whole && !writer.isEmpty && writer.fitsAlone([piece])) {
      yield* writer.flush()
      writer.tryWrite([piece])
      continue
    }
    for (const part of smallParts(piece.text)) {
      const segment = { text: part, style: piece.style }
      if (writer.tryWrite([segment])) continue
      if (!writer.isEmpty) yield* writer.flush()
      if (writer.tryWrite([segment])) continue
      for (const point of part) {
        if (writer.tryWrite([{ text: point, style: piece.style }])) continue
        yield* writer.flush()
        writer.tryWrite([{ text: point, style: piece.style }])
      }
    }
  }
}

function smallParts(text: string): Iterable<string> {
  // oxlint-disable-next-line no-control-regex -- ASCII without line ends has no clusters
  return /^[\x20-\x7e]*$/.test(text) ? text : graphemes(text)
}

/** The line being written. */
class LineWriter {
  readonly #line: LogicalLine
  readonly #budget: number
  #text = ''
  #bytes = 0
  /** Something but white space of whatever width is in it. */
  #hasInk = false
  #style: IrcStyle = PLAIN_STYLE
  #started = false
  #prefix: string

  constructor(line: LogicalLine, budget: number) {
    this.#line = line
    this.#budget = budget
    this.#prefix = line.first
  }

  get isEmpty(): boolean {
    return this.#text === ''
  }

  /** At the start of a line that continues another: spaces are dropped there, but kept at the very start. */
  get atBreak(): boolean {
    return this.#started && this.isEmpty
  }

  /** Adds the pieces if all of them still fit. */
  tryWrite(pieces: readonly Segment[]): boolean {
    const { text, style, bytes } = encodeFrom(this.#style, pieces)
    if (byteLength(this.#prefix) + this.#bytes + bytes > this.#budget) return false
    this.#text += text
    this.#bytes += bytes
    this.#style = style
    this.#hasInk ||= pieces.some((piece) => piece.text.trim() !== '')
    return true
  }

  /** Whether the pieces would fit in a line of their own. */
  fitsAlone(pieces: readonly Segment[]): boolean {
    const prefix = this.#started || !this.isEmpty ? this.#line.rest : this.#prefix
    return byteLength(prefix) + encodeFrom(PLAIN_STYLE, pieces).bytes <= this.#budget
  }

  /** Ends the line: gives it where there is something to see in it, and begins the next. */
  *flush(): Generator<string> {
    if (this.#hasInk) yield this.#prefix + this.#text
    this.#prefix = this.#line.rest
    this.#text = ''
    this.#bytes = 0
    this.#hasInk = false
    this.#style = PLAIN_STYLE
    this.#started = true
  }
}

function encodeFrom(
  from: IrcStyle,
  pieces: readonly Segment[],
): { text: string; style: IrcStyle; bytes: number } {
  let style = from
  let text = ''
  for (const piece of pieces) {
    text += transition(style, piece.style, piece.text) + piece.text
    style = piece.style
  }
  return { text, style, bytes: byteLength(text) }
}

/** A word (pieces without a space between them) or the spaces between two words. */
interface Unit {
  readonly space: boolean
  readonly pieces: Segment[]
}

function* unitsOf(segments: readonly Segment[]): Generator<Unit> {
  let unit: Unit | undefined
  for (const { text, style, whole } of segments) {
    const parts = whole ? [text] : text.split(/( +)/)
    for (const part of parts) {
      if (part === '') continue
      const space = part[0] === ' ' && whole !== true
      if (unit !== undefined && unit.space !== space) {
        yield unit
        unit = undefined
      }
      unit ??= { space, pieces: [] }
      unit.pieces.push({ text: part, style, ...(whole && { whole }) })
    }
  }
  if (unit !== undefined) yield unit
}
