import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compileGlob, containsWord, MAX_GLOB_LENGTH } from './glob.ts'

const matches = (pattern: string, text: string): boolean =>
  compileGlob(pattern)?.matches(text.toLowerCase()) ?? false
const matchesWords = (pattern: string, text: string): boolean =>
  compileGlob(pattern)?.matchesWords(text.toLowerCase()) ?? false

test('a glob matches as the examples of the specification say', () => {
  assert.ok(matches('lunc?*', 'Lunch plans'))
  assert.ok(matches('lunc?*', 'LUNCH'))
  assert.ok(!matches('lunc?*', ' lunch'))
  assert.ok(!matches('lunc?*', 'lunc'))
  assert.ok(matchesWords('ex*ple', 'An example event.'))
  assert.ok(matchesWords('ex*ple', 'exple'))
  assert.ok(matchesWords('ex*ple', 'An exciting triple-whammy'))
  assert.ok(!matchesWords('ex*ple', 'An examples event'))
})

test('a word begins and ends at a boundary, which letters, digits and the underscore are not', () => {
  assert.ok(matchesWords('cake', 'cake'))
  assert.ok(matchesWords('cake', 'pancake, CAKE!'))
  for (const text of ['pancake', 'cakes', 'cake_', '1cake', 'cak'])
    assert.ok(!matchesWords('cake', text), text)
  assert.ok(matchesWords('ca?e', 'a case'))
  assert.ok(!matchesWords('ca?e', 'a cases'))
  assert.ok(matchesWords('*ake', 'pancake'))
  assert.ok(matchesWords('kä?e', 'ein Käse!'))
  assert.ok(matchesWords('cake', 'écake'), 'only ASCII letters are word characters')
  assert.ok(containsWord('hi ann', 'ann') && !containsWord('hi anna', 'ann'))
})

test('? is one character even where it takes two UTF-16 units, and wildcards are nothing else', () => {
  assert.ok(matches('a?b', 'a\u{1f600}b'))
  assert.ok(!matches('a??b', 'a\u{1f600}b'))
  assert.ok(matches('a.c(*)[x]', 'a.c(d)[x]'))
  assert.ok(!matches('a.c*', 'abc'))
})

/** The obvious matcher: exponential, right. */
function plainly(pattern: string[], text: string[]): boolean {
  const [p, ...rest] = pattern
  if (p === undefined) return text.length === 0
  if (p === '*') return plainly(rest, text) || (text.length > 0 && plainly(pattern, text.slice(1)))
  return text.length > 0 && (p === '?' || p === text[0]) && plainly(rest, text.slice(1))
}

function plainlyInWords(pattern: string, text: string): boolean {
  const chars = Array.from(text)
  const isBoundary = (c: string | undefined): boolean => c === undefined || !/[a-z0-9_]/.test(c)
  for (let i = 0; i <= chars.length; i++)
    for (let j = i; j <= chars.length; j++)
      if (isBoundary(chars[i - 1]) && isBoundary(chars[j]) && plainly(Array.from(pattern), chars.slice(i, j)))
        return true
  return false
}

test('the one-pass matcher agrees with the obvious one, whole and in words', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\u{1f600}'), maxLength: 9 })
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '?', '*', '\u{1f600}'), maxLength: 7 })
  fc.assert(
    fc.property(pattern, text, (p, t) => {
      assert.equal(matches(p, t), plainly(Array.from(p), Array.from(t)))
      assert.equal(matchesWords(p, t), plainlyInWords(p, t))
    }),
    { numRuns: 3000 },
  )
})

test('a pattern of several machine words agrees too', () => {
  const long = `${'ab?'.repeat(30)}*${'c?'.repeat(40)}`
  const text = `${'abx'.repeat(30)}yyy${'cz'.repeat(40)}`
  assert.ok(matches(long, text))
  assert.ok(!matches(long, text.slice(1)))
  assert.ok(!matches(long, `${text}c`))
  assert.ok(matchesWords(long, `so ${text} it is`))
})

test('a hostile pattern over a hostile text costs its length and no more', () => {
  const pattern = '*a?'.repeat(MAX_GLOB_LENGTH / 3)
  const glob = compileGlob(pattern)
  assert.ok(glob)
  const text = 'a'.repeat(64 * 1024)
  const start = process.cpuUsage()
  assert.ok(!glob.matches(`${text.slice(0, 100)}b`))
  assert.ok(glob.matches(text))
  assert.ok(!glob.matchesWords(`${'a'.repeat(300)}`))
  const { user } = process.cpuUsage(start)
  assert.ok(user < 2_000_000, `took ${user} µs`)
  assert.equal(compileGlob('a?'.repeat(MAX_GLOB_LENGTH)), undefined)
  assert.ok(compileGlob('*'.repeat(10_000))?.matches('anything'))
})
