/** How many single-character edits (or swaps of neighbors) turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1]
      let best = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, before[j - 2]! + 1)
      row.push(best)
    }
    before = above
    above = row
  }
  return above[b.length]!
}

const plain = (name: string): string => name.toLowerCase().replaceAll(/[-_\s]/g, '')

/** The candidate that a mistyped `name` most likely means; undefined when none is near. */
export function findNearest(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = plain(name.slice(0, 100))
  let best: string | undefined
  let least = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    const other = plain(candidate)
    const edits = editDistance(wanted, other)
    // The beginning of a name is a good guess, but a slip of one letter is a better one.
    const distance = other.startsWith(wanted) ? Math.min(edits, 1.5) : edits
    if (distance < least) {
      least = distance
      best = candidate
    }
  }
  return least <= Math.max(2, Math.floor(wanted.length / 2)) ? best : undefined
}

/** ` Did you mean "x"?`, or nothing. */
export function suggestion(name: string, candidates: Iterable<string>): string {
  const nearest = findNearest(name, candidates)
  return nearest === undefined ? '' : ` Did you mean "${nearest}"?`
}
