import { foldText } from './fold.ts'
import { isUnspaced, pieces, searchTerms, tokenize, WORD } from './tokenize.ts'

/** Characters of a text that are looked through for words to highlight. */
const HIGHLIGHTED_TEXT = 4_096

/** Words that were sought, made ready to be compared with many texts that an index found by `searchTerms` of them. */
export interface SoughtWords {
  /**
   * Whether what stands together in the words stands together in the text, where no space parts words: an index of pairs
   * of letters finds 東京 and 京都 for 東京都.
   */
  matches(text: string): boolean
  /**
   * How close a text is, above 0 and at most 2: the share of its tokens that were sought (their cosine), and 1 more where
   * all the words stand in it as they were given.
   */
  rank(text: string): number
  /** Words as the text has them that were sought; at most `limit`. */
  highlights(text: string, limit: number): string[]
}

export function compileWords(words: string): SoughtWords {
  const terms = searchTerms(words)
  const sought = [...pieces(words)]
  const runs = sought.filter((piece) => isUnspaced(piece))
  const phrase = ` ${sought.join(' ')} `
  const isSought = (word: string): boolean =>
    tokenize(word).some((token) => terms.some((term) => term.token === token))
  return {
    matches(text) {
      if (runs.length === 0) return true
      const folded = foldText(text)
      return runs.every((run) => folded.includes(run))
    },
    rank(text) {
      const cosine = Math.sqrt(terms.length / Math.max(terms.length, tokenize(text).length))
      return ` ${[...pieces(text)].join(' ')} `.includes(phrase) ? 1 + cosine : cosine
    },
    highlights(text, limit) {
      const found = new Set<string>(rawRuns(words).filter((run) => text.includes(run)))
      for (const [word] of text.slice(0, HIGHLIGHTED_TEXT).matchAll(WORD)) {
        if (found.size >= limit) break
        if (!isUnspaced(word) && isSought(word)) found.add(word)
      }
      return [...found].slice(0, limit)
    },
  }
}

function rawRuns(words: string): string[] {
  return (words.match(WORD) ?? []).filter((word) => isUnspaced(word))
}
