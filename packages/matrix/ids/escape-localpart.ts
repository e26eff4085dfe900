const PLAIN = /[a-z0-9._/+-]/
const UTF8 = new TextEncoder()

/**
 * Maps any text to a localpart that new users may have, reversibly but for case: bytes outside the alphabet
 * become `=` and two hex digits. With `keepCase`, for networks where names differ by case only, `A` becomes `_a`
 * and `_` becomes `__`. Empty text stays empty, which is no valid localpart.
 * https://spec.matrix.org/v1.19/appendices/#mapping-from-other-character-sets
 */
export function escapeLocalpart(text: string, keepCase = false): string {
  let localpart = ''
  for (const byte of UTF8.encode(text)) localpart += escapeByte(byte, keepCase)
  return localpart
}

function escapeByte(byte: number, keepCase: boolean): string {
  const character = String.fromCharCode(byte)
  if (byte >= 0x41 && byte <= 0x5a) return (keepCase ? '_' : '') + character.toLowerCase()
  if (keepCase && character === '_') return '__'
  if (byte < 0x80 && PLAIN.test(character)) return character
  return `=${byte.toString(16).padStart(2, '0')}`
}
