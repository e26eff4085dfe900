import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { checkInteger, escapeText, unescapeText } from './text.ts'

const texts = fc.string({ unit: fc.constantFrom('\u0000', '\u0001', '0', '1', 'a', 'é', '\u{1F600}') })

it('stored text holds no NUL, comes back as it was, and sorts as before', () => {
  fc.assert(
    fc.property(texts, texts, (a, b) => {
      assert.ok(!escapeText(a).includes('\u0000'))
      assert.equal(unescapeText(escapeText(a)), a)
      const compare = (x: string, y: string): number => Buffer.compare(Buffer.from(x), Buffer.from(y))
      assert.equal(compare(escapeText(a), escapeText(b)), compare(a, b))
    }),
  )
})

it('text without NUL and U+0001 is stored as it is', () => {
  assert.equal(escapeText('\u0002 plain \u{1F600}'), '\u0002 plain \u{1F600}')
})

it('a lone surrogate and an unsafe integer are refused', () => {
  assert.throws(() => escapeText('a\ud800b'), /lone surrogate/)
  assert.throws(() => checkInteger(2 ** 53), TypeError)
  assert.equal(checkInteger(-(2 ** 53) + 1), -(2 ** 53) + 1)
})
