/** Types that browsers show without running anything. https://spec.matrix.org/v1.19/client-server-api/#serving-inline-content */
const INLINE_TYPES: ReadonlySet<string> = new Set([
  'text/css',
  'text/plain',
  'text/csv',
  'application/json',
  'application/ld+json',
  'image/jpeg',
  'image/gif',
  'image/png',
  'image/apng',
  'image/webp',
  'image/avif',
  'video/mp4',
  'video/webm',
  'video/ogg',
  'video/quicktime',
  'audio/mp4',
  'audio/webm',
  'audio/aac',
  'audio/mpeg',
  'audio/ogg',
  'audio/wave',
  'audio/wav',
  'audio/x-wav',
  'audio/x-pn-wav',
  'audio/flac',
  'audio/x-flac',
])

/** Whether content of a type may be shown in a browser instead of being saved. */
export function isInlineType(contentType: string): boolean {
  return INLINE_TYPES.has(contentType.split(';', 1)[0]!.trim().toLowerCase())
}

const PLAIN_NAME = /^[\x20-\x7e]*$/

/** A name as a parameter: quoted where it is ASCII, else percent-encoded. https://www.rfc-editor.org/rfc/rfc6266 */
function filenameParameter(filename: string): string {
  if (PLAIN_NAME.test(filename)) return `filename="${filename.replaceAll(/["\\]/g, '\\$&')}"`
  const encoded = encodeURIComponent(filename).replaceAll(
    /['()*!]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `filename*=utf-8''${encoded}`
}

/** @param filename without control characters; empty for none */
export function contentDisposition(contentType: string, filename: string): string {
  const kind = isInlineType(contentType) ? 'inline' : 'attachment'
  return filename === '' ? kind : `${kind}; ${filenameParameter(filename)}`
}
