/** A stretch of text; `isUrl` where it is a link target as it stands. */
export interface TextPart {
  readonly text: string
  readonly isUrl: boolean
}

/**
 * Cuts text into links and the rest. A link begins with a scheme we would let through as `href`, not inside a word,
 * and ends before white space, control characters, quotes and angle brackets; punctuation that ends a sentence and
 * brackets that were opened before the link are not part of it. Concatenating the parts gives the text. Linear: each
 * character is looked at by one match, and the end is trimmed with counts taken once.
 */
export function linkify(text: string): TextPart[] {
  if (!text.includes(':')) return text === '' ? [] : [{ text, isUrl: false }]
  const parts: TextPart[] = []
  let done = 0
  // oxlint-disable-next-line no-control-regex -- formatting codes end a link
  const pattern = /(?<![\p{L}\p{N}_])(?:https?:\/\/|ftp:\/\/|mailto:|magnet:\?)[^\s\0-\x20\x7f-\x9f<>"`]+/giu
  for (const match of text.matchAll(pattern)) {
    const url = trimUrl(match[0])
    if (!/[\p{L}\p{N}\]]/u.test(url.slice(url.search(/[:]/) + 1))) continue
    if (match.index > done) parts.push({ text: text.slice(done, match.index), isUrl: false })
    parts.push({ text: url, isUrl: true })
    done = match.index + url.length
  }
  if (done < text.length) parts.push({ text: text.slice(done), isUrl: false })
  return parts
}

const CLOSES: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{', '）': '（', '」': '「' }

function trimUrl(url: string): string {
  const counts = new Map<string, number>()
  for (const char of url) if (/[()[\]{}（）「」]/.test(char)) counts.set(char, (counts.get(char) ?? 0) + 1)
  let end = url.length
  for (; end > 0; end--) {
    const char = url[end - 1] as string
    const opener = CLOSES[char]
    if (opener !== undefined) {
      const closing = counts.get(char) ?? 0
      if (closing <= (counts.get(opener) ?? 0)) break
      counts.set(char, closing - 1)
    } else if (!/[.,;:!?'*_~|。，、！？；：…»”’]/.test(char)) break
  }
  return url.slice(0, end)
}
