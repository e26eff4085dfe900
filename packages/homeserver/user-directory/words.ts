import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { localpartOf } from '@causeway/matrix/ids/user-id.ts'
import { foldText } from '@causeway/matrix/search/fold.ts'
import { searchTerms, tokenize } from '@causeway/matrix/search/tokenize.ts'
import type { Prefixes } from '@causeway/store/tables/search-users.ts'

/** Of one name: a stranger chooses it, and each costs an entry. */
const MAX_WORDS = 40
/** Code units of a whole name or id; what is longer is found by its beginning. */
const MAX_WHOLE = 300
/** Of a question; further ones would find the same or less. */
const MAX_ASKED = 8

/**
 * The words that find a user by a name: those of name and localpart, folded; `@` and the whole id; `=` and the whole
 * name, and the localpart, by which a name is known to be the very one.
 */
export function wordsOfName(userId: UserId, displayName: string): string[] {
  const localpart = localpartOf(userId)
  const words = new Set([idWord(userId), wholeWord(localpart)])
  if (displayName !== '') words.add(wholeWord(displayName))
  for (const word of [...tokenize(displayName), ...tokenize(localpart)]) {
    if (words.size >= MAX_WORDS) break
    words.add(word)
  }
  return [...words]
}

/** What is asked of `directory_words`: see `UserSearch`. */
export interface Asked {
  readonly alternatives: readonly Prefixes[]
  readonly exact: readonly string[]
}

/**
 * A search term: the beginning of a whole name, of a whole id (`@alice`, `alice:example.org`), or of words that
 * all have to be there, in any order.
 */
export function readTerm(term: string): Asked {
  const whole = wholeWord(term)
  if (whole === '=') return { alternatives: [], exact: [] }
  const id = idWord(term.trim().replace(/^@?/, '@') as UserId)
  const isId = /^@\S/.test(term.trim()) || /^\S+:\S*$/.test(term.trim())
  const words = searchTerms(term).map(({ token }) => token)
  return {
    alternatives: [
      [whole],
      ...(isId ? [[id]] : []),
      ...(words.length > 0 ? [words.slice(0, MAX_ASKED)] : []),
    ],
    exact: isId ? [whole, id] : [whole],
  }
}

function wholeWord(text: string): string {
  return `=${cut(foldText(text).trim().replaceAll(/\s+/g, ' '))}`
}

function idWord(userId: UserId): string {
  return cut(userId.toLowerCase())
}

/** Never in the middle of a character. */
function cut(text: string): string {
  return text.length <= MAX_WHOLE
    ? text
    : text
        .slice(0, MAX_WHOLE)
        .toWellFormed()
        .replace(/\uFFFD$/, '')
}
