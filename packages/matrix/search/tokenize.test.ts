import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { foldText } from './fold.ts'
import { searchTerms, tokenize } from './tokenize.ts'

/** Whether a text is found by these words: what an index does with the tokens of both. */
function finds(words: string, text: string): boolean {
  const tokens = tokenize(text)
  const terms = searchTerms(words)
  return terms.length > 0 && terms.every((term) => tokens.some((token) => matches(term, token)))
}

function matches(term: { token: string; prefix: boolean }, token: string): boolean {
  return term.prefix ? token.startsWith(term.token) : token === term.token
}

test('a text gives its words, folded, each once, in their order', () => {
  assert.deepEqual(tokenize('The Night, the NIGHT of example.com!'), ['the', 'night', 'of', 'example', 'com'])
  assert.deepEqual(tokenize(''), [])
  assert.deepEqual(tokenize(' .,;-_'), [])
  assert.deepEqual(searchTerms('“…”'), [])
})

test('one finds what is written with other accents, case or forms of letters', () => {
  const pairs: [string, string][] = [
    ['ete', 'L’ÉTÉ à Genève'],
    ['Été', "l'ete"],
    ['strasse', 'Die STRASSE und die Straße'],
    ['STRAẞE', 'strasse'],
    ['sofia', 'Ｓｏｆｉａ'],
    ['fish', 'ﬁsh'],
    ['istanbul', 'İSTANBUL'],
    ['ısparta', 'Isparta'],
    ['lodz', 'Łódź'],
    ['tromso', 'Tromsø'],
    ['thor', 'Þór'],
    ['viet nam', 'Việt Nam'],
    ['ёлка', 'ЕЛКА'],
    ['київ', 'КИЇВ'],
    ['οδος', 'ΟΔΌΣ'],
    ['ΛΟΓΟΣ', 'ο λόγος'],
    ['خرائط', 'خَرَائِط'],
    ['احمد', 'أحمد'],
    ['كتاب', 'کتاب'],
    ['مدرسة', 'مدرسه'],
    ['می‌خواهم', 'میخواهم'],
    ['שלום', 'שָׁלוֹם'],
    ['नक्शा', 'यह नक़्शा है'],
    ['soft', 'so\u00ADft'],
  ]
  for (const [words, text] of pairs) {
    assert.ok(finds(words, text), `"${words}" finds "${text}"`)
    assert.ok(finds(text, text), `"${text}" finds itself`)
  }
})

test('a word is found whole, and marks that make another word are kept', () => {
  assert.equal(finds('night', 'nights'), false)
  assert.equal(finds('की', 'का'), false)
  assert.equal(finds('दुनिया', 'नमस्ते दुनिया'), true)
  assert.equal(finds('かき', 'がき'), false)
  assert.equal(finds('ดี', 'ดา'), false)
})

test('where no space parts words, parts of a text are found', () => {
  const pairs: [string, string][] = [
    ['东京', '我昨天在东京塔'],
    ['東京タワー', '昨日は東京タワーに行きました'],
    ['タワー', 'ﾀﾜｰ'],
    ['行き', '昨日は東京タワーに行きました'],
    ['地図', '新しい地図、OpenStreetMapの'],
    ['osm', 'OSM地図'],
    ['서울', '서울에서 만나요'],
    ['에서', '서울에서'],
    ['แผนที่', 'ฉันชอบแผนที่มาก'],
    ['ສະບາຍ', 'ສະບາຍດີ'],
    ['ផែនទី', 'ខ្ញុំចូលចិត្តផែនទី'],
    ['မြေပုံ', 'ကမ္ဘာ့မြေပုံ'],
  ]
  for (const [words, text] of pairs) assert.ok(finds(words, text), `"${words}" finds "${text}"`)
  assert.equal(finds('京東', '東京'), false)
  assert.equal(finds('大阪', '東京タワー'), false)
})

test('a single letter of such a script is found wherever it stands', () => {
  for (const text of ['山', '山道', '富士山', '富士山頂']) assert.ok(finds('山', text), text)
  assert.equal(finds('山', '川岸'), false)
  assert.deepEqual(searchTerms('山'), [{ token: '山', prefix: true }])
  assert.deepEqual(tokenize('富士山'), ['富士', '士山', '山'])
})

test('a picture is a word', () => {
  assert.ok(finds('🔥', 'so🔥🔥!'))
  assert.equal(finds('🔥', 'fire'), false)
})

test('tokens are bounded in length and number, and hold nothing that parts words', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      for (const token of tokenize(text)) {
        assert.ok(token.length > 0 && token.length <= 48)
        assert.match(token, /^(?:[\p{L}\p{M}\p{N}]+|\p{Extended_Pictographic})$/u)
      }
    }),
  )
  assert.equal(tokenize('x'.repeat(500))[0]?.length, 48)
  assert.ok(finds('x'.repeat(400), 'x'.repeat(400)))
  assert.equal(tokenize(Array.from({ length: 9000 }, (_, n) => `w${n}`).join(' ')).length, 4096)
  assert.equal(searchTerms(Array.from({ length: 90 }, (_, n) => `w${n}`).join(' ')).length, 32)
  assert.ok(tokenize('\u{20000}'.repeat(70_000)).every((token) => token.isWellFormed()))
})

test('folding a folded text changes nothing, and a text finds itself and its folded form', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      assert.equal(foldText(foldText(text)), foldText(text))
      const terms = searchTerms(text)
      if (terms.length > 0) assert.ok(finds(text, text) && finds(foldText(text), text))
    }),
    { numRuns: 500 },
  )
})
