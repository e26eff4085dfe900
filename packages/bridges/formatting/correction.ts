/** Longest stretch, in characters, that a substitution shows on either side. */
const MAX_CHANGE = 48
/** A substitution must leave at least this share of the words as they were. */
const MIN_UNCHANGED = 0.5

/**
 * How an edit is told where messages cannot be changed: the shortest text a reader understands.
 * - undefined: nothing worth a line changed (spaces, punctuation at the end, a capital at the start);
 * - `s/teh/the/`: one short stretch changed, with as many words around it as tell which is meant;
 * - `* The corrected sentence.`: else, or where it is shorter, the sentences that changed, on one line.
 * Both texts are plain (`toPlain`). A text edited to nothing is undefined too. Linear.
 */
export function editAsCorrection(oldText: string, newText: string): string | undefined {
  const oldWords = wordsOf(oldText)
  const newWords = wordsOf(newText)
  if (sameForReaders(oldWords, newWords)) return undefined
  if (newWords.length === 0) return undefined
  const full = `* ${changedSentences(oldText, newText)}`
  const short = substitution(oldWords, newWords)
  return short !== undefined && short.length < full.length ? short : full
}

function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}

function sameForReaders(a: readonly string[], b: readonly string[]): boolean {
  const plain = (words: readonly string[]): string => {
    const text = words.join(' ')
    let end = text.length
    while (end > 0 && '.,;:!…'.includes(text[end - 1] as string)) end--
    return text.slice(0, 1).toLowerCase() + text.slice(1, end).trimEnd()
  }
  return plain(a) === plain(b)
}

function substitution(oldWords: readonly string[], newWords: readonly string[]): string | undefined {
  let [start, oldEnd, newEnd] = changedRange(oldWords, newWords)
  const shorter = Math.min(oldWords.length, newWords.length)
  const unchanged = shorter - (Math.min(oldEnd, newEnd) - start)
  if (unchanged < shorter * MIN_UNCHANGED) return undefined
  // An insertion or deletion needs a neighbor to hang on; a word that occurs twice needs one to be told apart.
  for (let widened = 0; ; widened++) {
    const before = oldWords.slice(start, oldEnd).join(' ')
    const after = newWords.slice(start, newEnd).join(' ')
    if (before.length > MAX_CHANGE || after.length > MAX_CHANGE) return undefined
    if (before !== '' && after !== '' && occursOnce(oldWords, before)) return sed(before, after)
    if (widened === 3) return undefined
    if (start > 0) start--
    else {
      oldEnd++
      newEnd++
    }
    if (oldEnd > oldWords.length || newEnd > newWords.length) return undefined
  }
}

/** First changed word, and where the unchanged rest begins in each text. */
function changedRange(a: readonly string[], b: readonly string[]): [number, number, number] {
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start++
  let aEnd = a.length
  let bEnd = b.length
  while (aEnd > start && bEnd > start && a[aEnd - 1] === b[bEnd - 1]) {
    aEnd--
    bEnd--
  }
  return [start, aEnd, bEnd]
}

/** As text, since that is how a reader (and sed) looks for it. */
function occursOnce(words: readonly string[], part: string): boolean {
  const text = words.join(' ')
  const first = text.indexOf(part)
  return first !== -1 && !text.includes(part, first + 1)
}

function sed(before: string, after: string): string | undefined {
  const delimiter = ['/', '|', '#'].find((sign) => !before.includes(sign) && !after.includes(sign))
  if (delimiter === undefined) return undefined
  return `s${delimiter}${before}${delimiter}${after}${delimiter}`
}

function changedSentences(oldText: string, newText: string): string {
  const [start, , end] = changedRange(sentencesOf(oldText), sentencesOf(newText))
  const sentences = sentencesOf(newText)
  const changed = sentences.slice(start, end)
  return (changed.length === 0 ? sentences : changed).join(' ')
}

function sentencesOf(text: string): string[] {
  return text
    .split(/(?<=[.!?…。！？])\s+|\n+/)
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence !== '')
}
