/** https://www.rfc-editor.org/rfc/rfc5987#section-3.2 */
const EXTENDED = /;\s*filename\*\s*=\s*utf-8''([^;\s]+)/i
const QUOTED = /;\s*filename\s*=\s*"((?:[^"\\]|\\.)*)"/i
const PLAIN = /;\s*filename\s*=\s*([^;\s"]+)/i

/** The name in a `Content-Disposition` header; undefined when it has none that can be read. */
export function parseFilename(header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  const extended = EXTENDED.exec(header)?.[1]
  if (extended !== undefined) {
    try {
      return decodeURIComponent(extended)
    } catch {
      // The plain one may be better.
    }
  }
  const quoted = QUOTED.exec(header)?.[1]
  return quoted === undefined ? PLAIN.exec(header)?.[1] : quoted.replaceAll(/\\(.)/g, '$1')
}
