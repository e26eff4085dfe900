/**
 * Text as it is kept in a text column, the same on every database. PostgreSQL refuses U+0000, and SQLite keeps
 * it but cuts at it in functions such as `length`, so it is escaped: U+0000 → U+0001 '0', U+0001 → U+0001 '1'.
 * That is reversible and keeps the order of strings by code point; text without the two stays as it is.
 * @throws TypeError for a lone surrogate, which UTF-8 cannot hold (such input is `M_BAD_JSON` at the door)
 */
export function escapeText(value: string): string {
  if (!value.isWellFormed()) {
    throw new TypeError(`text with a lone surrogate cannot be stored: ${JSON.stringify(value.slice(0, 100))}`)
  }
  if (!value.includes('\u0000') && !value.includes('\u0001')) return value
  return value.replaceAll('\u0001', '\u00011').replaceAll('\u0000', '\u00010')
}

/** The text that `escapeText` was given. */
export function unescapeText(value: string): string {
  if (!value.includes('\u0001')) return value
  return value.replaceAll('\u00010', '\u0000').replaceAll('\u00011', '\u0001')
}

/**
 * Refuses what a column of integers cannot hold, or what would not be read back as the same number.
 * @throws TypeError for fractions, NaN and anything beyond ±(2^53 − 1)
 */
export function checkInteger(value: number): number {
  if (!Number.isSafeInteger(value)) throw new TypeError(`${value} is not an integer within ±(2^53 - 1)`)
  return value
}
