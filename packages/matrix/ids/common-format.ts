import { exceedsBytes, MAX_ID_BYTES } from '../json/limits.ts'
import { isServerName } from './server-name.ts'

/**
 * Whether `text` is `<sigil>localpart:server.name` within 255 bytes of UTF-8, where the localpart may hold every
 * code point but `:` and NUL. https://spec.matrix.org/v1.19/appendices/#common-identifier-format
 */
export function hasCommonFormat(text: string, sigil: string, emptyLocalpart: boolean): boolean {
  if (!text.startsWith(sigil) || !isOpaqueText(text)) return false
  const colon = text.indexOf(':')
  if (colon < (emptyLocalpart ? 1 : 2)) return false
  return isServerName(text.slice(colon + 1))
}

/** Whether `text` can stand in an id at all: Unicode, without NUL, at most 255 bytes of UTF-8. */
export function isOpaqueText(text: string): boolean {
  return !exceedsBytes(text, MAX_ID_BYTES) && text.isWellFormed() && !text.includes('\0')
}
