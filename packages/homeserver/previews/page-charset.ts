/** Bytes at the start of a page that are looked at for what it is written in. */
export const SNIFFED_BYTES = 4096

const MARKS: readonly (readonly [string, readonly number[]])[] = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16be', [0xfe, 0xff]],
  ['utf-16le', [0xff, 0xfe]],
]

/** The name that a label stands for; undefined for one that nobody knows. https://encoding.spec.whatwg.org/#names-and-labels */
function findEncoding(label: string | undefined): string | undefined {
  if (label === undefined) return undefined
  try {
    return new TextDecoder(label).encoding
  } catch {
    return undefined
  }
}

/** What the page says of itself, in `<meta charset>`, `<meta http-equiv>` or `<?xml encoding>`. */
function findDeclared(head: string): string | undefined {
  const label = /<meta[^>]{0,512}?charset\s*=\s*["']?\s*([\w:.-]{1,40})/i.exec(head)?.[1]
  const encoding = findEncoding(
    label ?? /^<\?xml[^>]{0,256}?encoding\s*=\s*["']([\w:.-]{1,40})/i.exec(head)?.[1],
  )
  // A page whose ASCII could be read is not written in two bytes a letter, whatever it says.
  return encoding?.startsWith('utf-16') === true ? 'utf-8' : encoding
}

function isUtf8(head: Uint8Array): boolean {
  try {
    // As a stream: a letter that is cut off at the end is no mistake.
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true })
    return true
  } catch {
    return false
  }
}

/**
 * What a page is written in, as browsers find it: its byte order mark, the header, what it says of itself. What
 * is, or pretends to be, UTF-8 and cannot be read as such is taken for windows-1252.
 * https://html.spec.whatwg.org/multipage/parsing.html#determining-the-character-encoding
 * @param head the first bytes, at least 4 KiB of them unless the page is shorter
 * @returns a name that `TextDecoder` takes
 */
export function sniffEncoding(head: Uint8Array, contentType: string | undefined): string {
  const marked = MARKS.find(([, mark]) => mark.every((byte, index) => head[index] === byte))
  if (marked !== undefined) return marked[0]
  const ofHeader = /;\s*charset\s*=\s*"?\s*([\w:.-]{1,40})/i.exec(contentType ?? '')?.[1]
  const sniffed = head.subarray(0, SNIFFED_BYTES)
  const named = findEncoding(ofHeader) ?? findDeclared(Buffer.from(sniffed).toString('latin1'))
  if (named !== undefined && named !== 'utf-8') return named
  return isUtf8(sniffed) ? 'utf-8' : 'windows-1252'
}
