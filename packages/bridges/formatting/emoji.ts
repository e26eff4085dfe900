let segmenter: Intl.Segmenter | undefined

/** The grapheme clusters (what a reader calls characters) of a text, in order, one at a time. Linear. */
export function* graphemes(text: string): Generator<string> {
  segmenter ??= new Intl.Segmenter('und', { granularity: 'grapheme' })
  for (const { segment } of segmenter.segment(text)) yield segment
}

/** Whether every character of a text is a grapheme of its own and one byte in UTF-8. */
export function isPrintableAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text)
}

/**
 * A text cut to at most `max` graphemes, the cut marked with an ellipsis (which counts as one); never inside a
 * grapheme, without trailing spaces before the mark. `max` is at least 1.
 */
export function truncateGraphemes(text: string, max: number): string {
  let kept = ''
  let beforeLast = ''
  let count = 0
  for (const grapheme of graphemes(text)) {
    if (count === max) return `${beforeLast.trimEnd()}…`
    beforeLast = kept
    kept += grapheme
    count++
  }
  return kept
}

/** Whether a text is exactly one emoji, with or without its variation selector: what a reaction usually is. */
export function isSingleEmoji(text: string): boolean {
  if (text.length === 0 || text.length > 64) return false
  return /^\p{RGI_Emoji}$/v.test(text) || /^\p{RGI_Emoji}$/v.test(fullyQualified(text))
}

function fullyQualified(text: string): string {
  return /^\P{Emoji_Presentation}$/u.test(text) ? `${text}\ufe0f` : text
}

/**
 * One spelling for reactions that look alike: without variation selectors. For comparing only; what is sent keeps
 * its selector.
 */
export function reactionKey(text: string): string {
  return text.replaceAll(/[\ufe0e\ufe0f]/g, '')
}
