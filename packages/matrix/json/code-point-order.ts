/**
 * Order of two strings by Unicode code point: negative, zero or positive. JavaScript's own order goes by UTF-16
 * unit, which puts U+10000 and above (surrogate pairs, from 0xD800) before U+E000–U+FFFF.
 */
export function compareCodePoints(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i++) {
    const unitA = a.charCodeAt(i)
    const unitB = b.charCodeAt(i)
    if (unitA !== unitB) return unitA < 0xd800 || unitB < 0xd800 ? unitA - unitB : rank(unitA) - rank(unitB)
  }
  return a.length - b.length
}

/** Lifts surrogates above the rest of the basic plane. */
function rank(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000
}

/** Sorts keys in place by code point. Most objects have a handful, where insertion beats the library's sort. */
export function sortByCodePoint(keys: string[]): string[] {
  if (keys.length > 24) return keys.sort(compareCodePoints)
  for (let i = 1; i < keys.length; i++) {
    const key = keys[i]!
    let at = i - 1
    while (at >= 0 && compareCodePoints(keys[at]!, key) > 0) {
      keys[at + 1] = keys[at]!
      at--
    }
    keys[at + 1] = key
  }
  return keys
}
