/** Deepest nesting of arrays and objects that is read or written: enough for every real event, safe for the stack. */
export const MAX_JSON_DEPTH = 1000

/**
 * A whole event in federation format, signatures included, as canonical JSON in UTF-8.
 * https://spec.matrix.org/v1.19/client-server-api/#size-limits
 */
export const MAX_EVENT_BYTES = 65_536

/** User ids, room ids, aliases, event ids, event types and state keys, in bytes of UTF-8. */
export const MAX_ID_BYTES = 255

/**
 * Bytes of `text` in UTF-8; a lone surrogate counts three, as its replacement would. Limits on events and ids
 * count these bytes, not code points and not UTF-16 units: 255 emoji are four times too long for a state key.
 */
export function utf8Length(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit >= 0x800) bytes += 2
    else if (unit >= 0x80) bytes += 1
    // A pair is two units and four bytes: two counted as units, two just now.
    if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(i + 1))) i++
  }
  return bytes
}

/** Whether `text` takes more than `limit` bytes of UTF-8; counts only where length alone cannot tell. */
export function exceedsBytes(text: string, limit: number): boolean {
  if (text.length > limit) return true
  return text.length * 3 > limit && utf8Length(text) > limit
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000
}
