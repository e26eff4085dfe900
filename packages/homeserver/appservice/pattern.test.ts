import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compilePattern } from './pattern.ts'

test('the patterns of real bridges match their ids and nobody else’s', () => {
  const cases: readonly [string, string, boolean][] = [
    ['@_irc_bridge_.*', '@_irc_bridge_alice:example.org', true],
    ['@_irc_bridge_.*', '@alice_irc_bridge_:example.org', false],
    ['^@telegram_[0-9]+:example\\.org$', '@telegram_123:example.org', true],
    ['^@telegram_[0-9]+:example\\.org$', '@telegram_:example.org', false],
    ['^@telegram_[0-9]+:example\\.org$', '@telegram_1:exampleXorg', false],
    ['^@telegram_[0-9]+:example\\.org$', '@telegram_1:example.org.evil', false],
    ['@(slack|discord)_\\w{2,4}:.*', '@slack_ab:x', true],
    ['@(slack|discord)_\\w{2,4}:.*', '@slack_abcde:x', false],
    ['@(?P<network>irc)_[^:]+:.*', '@irc_ü😀:x', true],
    ['#irc_[\\w.-]+:x', '#irc_a-b.c:x', true],
    ['.*', '', true],
    ['', 'anything', true],
    ['@irc', '@irc_is_a_prefix:x', true],
  ]
  for (const [source, text, expected] of cases) {
    assert.equal(compilePattern(source)(text), expected, `${source} on ${text}`)
  }
})

test('what cannot be matched in linear time, or is no pattern, is refused with a sentence', () => {
  const cases: readonly [string, RegExp][] = [
    ['(?!admin).*', /looks ahead or behind/],
    ['(?i)abc', /sets options/],
    ['(a)\\1', /"\\1", which is not supported/],
    ['a\\b', /"\\b", which is not supported/],
    ['(a', /without a "\)"/],
    ['a)', /without a "\("/],
    ['[a', /without a "\]"/],
    ['*a', /nothing to repeat/],
    ['a**', /repeats a repetition/],
    ['a{3,2}', /impossible/],
    ['a{300}', /more than 255/],
    ['((a{255}){255}){255}', /too large/],
    ['{a', /no repetition|nothing to repeat/],
    ['a{', /no repetition/],
    ['[z-a]', /range/],
    ['a\\', /backslash/],
    ['('.repeat(100), /nested/],
    ['a'.repeat(1001), /1,000/],
  ]
  for (const [source, expected] of cases) assert.throws(() => compilePattern(source), expected, source)
})

test('patterns that take others exponential time take this one steps by the length', () => {
  const patterns = ['@(a+)+$', '@(a|a)*$', '@(a|aa)+$', '@(.*)*x', `@${'.*'.repeat(40)}x`, '@((a*)*)*$']
  const text = `@${'a'.repeat(250)}!`
  const before = process.cpuUsage()
  for (const source of patterns) assert.equal(compilePattern(source)(text), false, source)
  const { user, system } = process.cpuUsage(before)
  assert.ok(user + system < 2_000_000, `${user + system} µs`)
})

test('a text that is too long for an id matches nothing', () => {
  assert.equal(compilePattern('.*')('a'.repeat(256)), false)
})

test('any pattern agrees with the built-in regular expressions', () => {
  const atom = fc.constantFrom(
    'a',
    'b',
    '.',
    '[ab]',
    '[^a]',
    '[a-c]',
    '\\w',
    '\\D',
    '\\.',
    '^',
    '$',
    'é',
    '😀',
  )
  const tree = fc.letrec<{ node: string }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 4, depthIdentifier: 'pattern' },
      atom,
      fc.array(tie('node'), { maxLength: 3, depthIdentifier: 'pattern' }).map((parts) => parts.join('')),
      fc.tuple(tie('node'), tie('node')).map(([a, b]) => `(?:${a}|${b})`),
      fc
        .tuple(tie('node'), fc.constantFrom('*', '+', '?', '{2}', '{1,}', '{0,2}', '*?'))
        .map(([part, quantifier]) => `(${part})${quantifier}`),
    ),
  })).node
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '.', 'é', '😀', ':'), maxLength: 8 })
  fc.assert(
    fc.property(tree, text, (source, subject) => {
      const expected = new RegExp(`^(?:${source})`, 'u').test(subject)
      assert.equal(compilePattern(source)(subject), expected)
    }),
    { numRuns: 3_000 },
  )
})
