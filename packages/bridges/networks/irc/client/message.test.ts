import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { escapeTagValue, formatMessage, parseMessage, unescapeTagValue } from './message.ts'

const parsed = (line: string): unknown => {
  const message = parseMessage(line)
  if (message === undefined) return undefined
  return [Object.fromEntries(message.tags), message.source, message.command, ...message.params]
}

test('lines come apart as the grammar says', () => {
  const cases: [string, unknown][] = [
    ['PING', [{}, undefined, 'PING']],
    ['privmsg #a :b c', [{}, undefined, 'PRIVMSG', '#a', 'b c']],
    [':n!u@h PRIVMSG #a b', [{}, 'n!u@h', 'PRIVMSG', '#a', 'b']],
    [':n!u@h PRIVMSG #a ::)', [{}, 'n!u@h', 'PRIVMSG', '#a', ':)']],
    [':n!u@h PRIVMSG #a :', [{}, 'n!u@h', 'PRIVMSG', '#a', '']],
    [':n   PRIVMSG   #a    :  x ', [{}, 'n', 'PRIVMSG', '#a', '  x ']],
    [':s 005 me A=b C=d :are supported', [{}, 's', '005', 'me', 'A=b', 'C=d', 'are supported']],
    ['JOIN a:b c: ', [{}, undefined, 'JOIN', 'a:b', 'c:']],
    ['@a=b;c;+d/e=f\\:\\s\\\\ :n X y', [{ a: 'b', c: '', '+d/e': 'f; \\' }, 'n', 'X', 'y']],
    ['@a=1;a=2 X', [{ a: '2' }, undefined, 'X']],
    ['@a==b X', [{ a: '=b' }, undefined, 'X']],
    ['@;;a=b; X', [{ a: 'b' }, undefined, 'X']],
    ['@__proto__=x X', [Object.fromEntries([['__proto__', 'x']]), undefined, 'X']],
  ]
  for (const [line, expected] of cases) assert.deepEqual(parsed(line), expected, line)
})

test('a line without a command is no message', () => {
  for (const line of ['', ' ', ':', ':a', ':a ', '@a', '@a ', '@a :b', '12', '1234', 'A1 b', '\0', ':a :b']) {
    assert.equal(parsed(line), undefined, JSON.stringify(line))
  }
})

test('tag values decode as the specification lists', () => {
  assert.equal(unescapeTagValue('a\\:b\\sc\\\\d\\re\\nf'), 'a;b c\\d\re\nf')
  assert.equal(unescapeTagValue('x\\b\\'), 'xb')
})

test('any tag value survives escaping, and the escaped form holds no separator', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      const escaped = escapeTagValue(value)
      assert.equal(unescapeTagValue(escaped), value)
      assert.doesNotMatch(escaped, /[; \r\n]/)
    }),
  )
})

test('what is written is read back the same, whatever the parameters', () => {
  const middle = fc.stringMatching(/^[^\s\0:][^\s\0]*$/)
  const text = fc.stringMatching(/^[^\r\n\0]*$/)
  const name = fc.stringMatching(/^\+?[a-z]+(?:\.[a-z]+\/[a-z-]+)?$/)
  const value = fc.stringMatching(/^[^\0]*$/)
  fc.assert(
    fc.property(
      fc.array(middle, { maxLength: 5 }),
      text,
      fc.array(fc.tuple(name, value)),
      (params, last, tags) => {
        const message = { tags: new Map(tags), command: 'CMD', params: [...params, last] }
        const line = formatMessage(message)
        assert.ok(line !== undefined)
        assert.deepEqual(parseMessage(line), { ...message, source: undefined })
      },
    ),
  )
})

test('nothing that would become a second line or a shifted parameter is written', () => {
  for (const params of [
    ['#a', 'x\r\nQUIT'],
    ['#a', 'x\ny'],
    ['#a', 'x\0y'],
    ['#a b', 'x'],
    ['', 'x'],
    [':a', 'x'],
  ]) {
    assert.equal(formatMessage({ command: 'PRIVMSG', params }), undefined, JSON.stringify(params))
  }
  assert.equal(formatMessage({ command: 'PRIV MSG', params: [] }), undefined)
  assert.equal(formatMessage({ command: 'X', params: [], tags: new Map([['a b', '']]) }), undefined)
  assert.equal(formatMessage({ command: 'X', params: [], tags: new Map([['a;b', '']]) }), undefined)
})

test('any input is parsed without a throw', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (line) => {
      parseMessage(line)
    }),
    { numRuns: 1000 },
  )
})
