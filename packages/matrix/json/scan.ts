const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Index of the quote that closes the string opened at `start`; the end of the text when none does. Linear. */
export function endOfString(text: string, start: number): number {
  let at = text.indexOf('"', start + 1)
  while (at !== -1 && isEscaped(text, at)) at = text.indexOf('"', at + 1)
  return at === -1 ? text.length : at
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes++
  return backslashes % 2 === 1
}

/** Index of the first character from `start` on that is no JSON white space. */
export function skipSpace(text: string, start: number): number {
  let at = start
  for (;;) {
    const unit = text.charCodeAt(at)
    if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return at
    at++
  }
}

/** Whether arrays and objects nest deeper than `limit`, in a text that may or may not be JSON. Linear. */
export function nestsDeeperThan(text: string, limit: number): boolean {
  // Each level needs its bracket and its closing bracket.
  if (text.length <= 2 * limit) return false
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) at = endOfString(text, at)
    else if (unit === 0x5b || unit === 0x7b) depth++
    else if (unit === 0x5d || unit === 0x7d) depth--
    if (depth > limit) return true
  }
  return false
}

/** Whether some key of an object is spelled with an escape, in a text that may or may not be JSON. Linear. */
export function hasEscapedKey(text: string): boolean {
  let backslash = text.indexOf('\\')
  let at = backslash === -1 ? -1 : text.indexOf('"')
  while (at !== -1) {
    const end = endOfString(text, at)
    if (backslash < at) backslash = text.indexOf('\\', at)
    if (backslash === -1) return false
    if (backslash < end && text[skipSpace(text, end + 1)] === ':') return true
    at = text.indexOf('"', end + 1)
  }
  return false
}
