// Made when it is asked for: the server, which loads this too, would pay for it at every start.
let segmenter: Intl.Segmenter | undefined
const WIDE =
  /\p{Emoji_Presentation}|\p{Extended_Pictographic}\uFE0F|[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]|[\u{20000}-\u{3FFFD}]/u
/** Controls of the terminal and of the direction of text: names come from strangers. */
const CONTROL = /[\p{Cc}\u061C\u200E\u200F\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu

/** Columns that a text takes on a terminal, near enough for tables. */
export function displayWidth(text: string): number {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' })
  let width = 0
  for (const { segment } of segmenter.segment(text)) width += WIDE.test(segment) ? 2 : 1
  return width
}

/** A text on one line that can do nothing to the terminal: controls are spelled out. */
export function printable(text: string): string {
  return text.replaceAll(CONTROL, (control) => `\\u${control.codePointAt(0)!.toString(16).padStart(4, '0')}`)
}
