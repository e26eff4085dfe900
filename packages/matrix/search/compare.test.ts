import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileWords } from './compare.ts'

test('what stands together where no space parts words has to stand together', () => {
  const tokyo = compileWords('東京都')
  assert.equal(tokyo.matches('東京都の地図'), true)
  assert.equal(tokyo.matches('東京と京都'), false)
  assert.equal(compileWords('ﾀﾜｰ').matches('東京タワー'), true)
  assert.equal(compileWords('tower of tokyo').matches('tokyo and its tower, of course'), true)
})

test('the text that is closest ranks highest', () => {
  const words = compileWords('Été')
  assert.equal(words.rank('ETE'), 2)
  const ranks = [
    "l'été",
    "un été à Genève, c'est long",
    'un ami a été ici avec ses trois enfants hier soir',
  ].map((text) => words.rank(text))
  assert.deepEqual(
    ranks,
    ranks.toSorted((a, b) => b - a),
  )
  const two = compileWords('good map')
  assert.ok(two.rank('a very very good map of it') > two.rank('map good'))
  assert.ok(two.rank('map good') > two.rank('the map is very good'))
})

test('words are highlighted as the text has them', () => {
  assert.deepEqual(compileWords('ete geneve').highlights("L'Été à Genève, été", 9), ['Été', 'Genève', 'été'])
  assert.deepEqual(compileWords('東京').highlights('昨日は東京タワーに行きました', 9), ['東京'])
  assert.deepEqual(compileWords('nothing').highlights('of the kind', 9), [])
  assert.equal(compileWords('a b c').highlights('a b c', 2).length, 2)
})
