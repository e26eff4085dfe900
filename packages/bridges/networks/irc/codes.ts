import { colorOfNumber } from './palette.ts'

/** The control characters that format IRC text. https://modern.ircdocs.horse/formatting */
export const CODE = {
  bold: '\x02',
  color: '\x03',
  hexColor: '\x04',
  reset: '\x0f',
  monospace: '\x11',
  reverse: '\x16',
  italic: '\x1d',
  strike: '\x1e',
  underline: '\x1f',
} as const

/**
 * How a stretch of an IRC line looks. `fg` and `bg` are what stands after the color code: two digits (a mIRC number)
 * or `#rrggbb` (a hex color); absent means the reader's default.
 */
export interface IrcStyle {
  readonly bold?: true
  readonly italic?: true
  readonly underline?: true
  readonly strike?: true
  readonly mono?: true
  readonly fg?: string
  readonly bg?: string
}

/** Text of one look; `whole` asks not to break inside it as long as it fits in a line. */
export interface Segment {
  readonly text: string
  readonly style: IrcStyle
  readonly whole?: true
}

export const PLAIN_STYLE: IrcStyle = {}

const TOGGLES = [
  ['bold', CODE.bold],
  ['italic', CODE.italic],
  ['underline', CODE.underline],
  ['strike', CODE.strike],
  ['mono', CODE.monospace],
] as const

/** Whether two styles look the same. */
export function sameIrcStyle(a: IrcStyle, b: IrcStyle): boolean {
  return a === b || (a.fg === b.fg && a.bg === b.bg && TOGGLES.every(([key]) => a[key] === b[key]))
}

/**
 * The codes that lead from one style to another, given the text that follows. A color is never taken back by a bare
 * color code (digits in the text would become its number) but by a reset and opening the rest again; where text that
 * follows a color without background begins with a comma, an empty bold pair keeps it from being read as one.
 */
export function transition(from: IrcStyle, to: IrcStyle, nextText: string): string {
  if (sameIrcStyle(from, to)) return ''
  const dropsColor =
    (from.fg !== undefined && to.fg === undefined) || (from.bg !== undefined && to.bg === undefined)
  const plain = sameIrcStyle(to, PLAIN_STYLE)
  const start = plain || dropsColor ? PLAIN_STYLE : from
  const reset = start === from ? '' : CODE.reset
  const toggles = TOGGLES.filter(([key]) => start[key] !== to[key]).map(([, code]) => code)
  const color = sameColors(start, to) ? '' : colorCode(to)
  const guard = color !== '' && to.bg === undefined && nextText.startsWith(',') ? CODE.bold + CODE.bold : ''
  return reset + toggles.join('') + color + guard
}

function sameColors(a: IrcStyle, b: IrcStyle): boolean {
  return a.fg === b.fg && a.bg === b.bg
}

function colorCode({ fg, bg }: IrcStyle): string {
  if (fg?.startsWith('#') || bg?.startsWith('#')) {
    // There is no hex code for a background alone: the foreground stays near white, readable on most.
    return `${CODE.hexColor}${hexDigits(fg) ?? 'ffffff'}${bg === undefined ? '' : `,${hexDigits(bg)}`}`
  }
  return `${CODE.color}${fg ?? '99'}${bg === undefined ? '' : `,${bg}`}`
}

function hexDigits(color: string | undefined): string | undefined {
  if (color === undefined || color.startsWith('#')) return color?.slice(1)
  return colorOfNumber(Number(color))?.slice(1)
}

/** An IRC line of these segments, formatting open at its end (a line's end closes it for the reader). */
export function encodeSegments(segments: readonly Segment[]): string {
  let line = ''
  let style = PLAIN_STYLE
  for (const segment of segments) {
    if (segment.text === '') continue
    line += transition(style, segment.style, segment.text) + segment.text
    style = segment.style
  }
  return line
}

/** What a parsed line is made of; colors are `#rrggbb`, or absent for the reader's default. */
interface ParseState {
  bold: boolean
  italic: boolean
  underline: boolean
  strike: boolean
  mono: boolean
  reverse: boolean
  fg: string | undefined
  bg: string | undefined
}

const TOGGLE_OF: Readonly<Record<string, 'bold' | 'italic' | 'underline' | 'strike' | 'mono' | 'reverse'>> = {
  [CODE.bold]: 'bold',
  [CODE.italic]: 'italic',
  [CODE.underline]: 'underline',
  [CODE.strike]: 'strike',
  [CODE.monospace]: 'mono',
  [CODE.reverse]: 'reverse',
}

function plainState(): ParseState {
  const off = { bold: false, italic: false, underline: false, strike: false, mono: false, reverse: false }
  return { ...off, fg: undefined, bg: undefined }
}

/**
 * The segments of a line with formatting codes; other control characters are left out. Neighbors differ in style.
 * Total and linear.
 */
export function parseCodes(line: string): Segment[] {
  const segments: Segment[] = []
  const state = plainState()
  const pattern =
    // oxlint-disable-next-line no-control-regex -- formatting codes are control characters
    /\x03(?:(\d{1,2})(?:,(\d{1,2}))?)?|\x04(?:([0-9a-f]{6})(?:,([0-9a-f]{6}))?)?|[\0-\x1f\x7f]|[^\0-\x1f\x7f]+/gi
  for (const match of line.matchAll(pattern)) {
    const part = match[0]
    const code = part[0] as string
    const toggle = TOGGLE_OF[code]
    if (toggle !== undefined) state[toggle] = !state[toggle]
    else if (code === CODE.reset) Object.assign(state, plainState())
    else if (code === CODE.color) setColors(state, numberColor(match[1]), numberColor(match[2]))
    else if (code === CODE.hexColor) setColors(state, hexColor(match[3]), hexColor(match[4]))
    else if (code === '\t') pushSegment(segments, ' ', styleOf(state))
    else if (code > '\x1f' && code !== '\x7f') pushSegment(segments, part, styleOf(state))
  }
  return segments
}

/** A color, or `default` for a code that asks for the reader's own, or undefined where the code names none. */
type ParsedColor = `#${string}` | 'default' | undefined

function numberColor(digits: string | undefined): ParsedColor {
  return digits === undefined ? undefined : (colorOfNumber(Number(digits)) ?? 'default')
}

function hexColor(digits: string | undefined): ParsedColor {
  return digits === undefined ? undefined : `#${digits.toLowerCase()}`
}

/** A code without a color takes both back; one without a background leaves the background as it is. */
function setColors(state: ParseState, fg: ParsedColor, bg: ParsedColor): void {
  if (fg === undefined) state.bg = undefined
  state.fg = fg === 'default' ? undefined : fg
  if (bg !== undefined) state.bg = bg === 'default' ? undefined : bg
}

function styleOf(state: ParseState): IrcStyle {
  const [fg, bg] = state.reverse ? reversed(state) : [state.fg, state.bg]
  return {
    ...(state.bold && { bold: true as const }),
    ...(state.italic && { italic: true as const }),
    ...(state.underline && { underline: true as const }),
    ...(state.strike && { strike: true as const }),
    ...(state.mono && { mono: true as const }),
    ...(fg !== undefined && { fg }),
    ...(bg !== undefined && { bg }),
  }
}

/** Reverse video swaps colors; with none set, white on black stands out on every background. */
function reversed({ fg, bg }: ParseState): [string | undefined, string | undefined] {
  return fg === undefined && bg === undefined ? ['#ffffff', '#000000'] : [bg, fg]
}

function pushSegment(segments: Segment[], text: string, style: IrcStyle): void {
  const last = segments.at(-1)
  if (last !== undefined && sameIrcStyle(last.style, style)) {
    segments[segments.length - 1] = { text: last.text + text, style }
  } else segments.push({ text, style })
}
