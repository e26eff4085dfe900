const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** Unpadded base64. https://spec.matrix.org/v1.19/appendices/#unpadded-base64 */
export function encodeBase64(bytes: Uint8Array): string {
  return bytes.toBase64({ omitPadding: true })
}

/** The bytes of standard base64, padded or not; undefined when it is something else. */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (!BASE64.test(text)) return undefined
  try {
    return Uint8Array.fromBase64(text)
  } catch {
    return undefined
  }
}

/** The same bytes in the standard alphabet instead of the URL-safe one. */
export function toStandardBase64(base64url: string): string {
  return base64url.replaceAll('-', '+').replaceAll('_', '/')
}

/** The same bytes in the URL-safe alphabet instead of the standard one. */
export function toBase64url(base64: string): string {
  return base64.replaceAll('+', '-').replaceAll('/', '_')
}
