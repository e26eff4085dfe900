import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'

/** Decodes one percent-encoded piece of a query; throws M_INVALID_PARAM for what is not UTF-8. */
function decodePiece(piece: string): string {
  if (!piece.includes('%') && !piece.includes('+')) return piece
  try {
    return decodeURIComponent(piece.replaceAll('+', ' '))
  } catch {
    throw invalidParam('The query holds a "%" that is not followed by valid percent-encoded UTF-8')
  }
}

/** Calls `each` with every decoded name and value of the text behind `?`, in order. */
export function forEachQueryPair(query: string, each: (name: string, value: string) => void): void {
  let start = 0
  while (start < query.length) {
    let end = query.indexOf('&', start)
    if (end === -1) end = query.length
    if (end > start) {
      const equals = query.indexOf('=', start)
      const split = equals === -1 || equals > end ? end : equals
      each(
        decodePiece(query.slice(start, split)),
        split === end ? '' : decodePiece(query.slice(split + 1, end)),
      )
    }
    start = end + 1
  }
}

/** The one value of `name`, or undefined. Throws M_INVALID_PARAM when it is given twice. */
export function findQueryValue(query: string, name: string): string | undefined {
  let found: string | undefined
  forEachQueryPair(query, (key, value) => {
    if (key !== name) return
    if (found !== undefined) throw givenTwice(name)
    found = value
  })
  return found
}

/** Two values where one is meant: refused, since two readers might pick different ones. */
export const givenTwice = (name: string): Error =>
  invalidParam(`The query parameter "${name}" is given twice`)
