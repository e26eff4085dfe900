import assert from 'node:assert/strict'
import { it } from 'node:test'
import { displayWidth } from './display-width.ts'
import { formatCell, formatResult } from './format-result.ts'

it('columns line up under wide characters too, and numbers by their ends', () => {
  const table = formatResult([
    { name: '鯨の部屋', n: 7, by: '@a:b' },
    { name: '👩‍🚀 crew', n: 1234, by: '@longer:b' },
  ])
  assert.equal(table, 'name         n  by\n鯨の部屋     7  @a:b\n👩‍🚀 crew   1234  @longer:b\n')
  const [first, ...others] = table.trimEnd().split('\n')
  const at = displayWidth(first!.slice(0, first!.indexOf('by')))
  for (const line of others) assert.equal(displayWidth(line.slice(0, line.indexOf('@'))), at)
})

it('names from strangers can do nothing to the terminal', () => {
  assert.equal(formatCell('a\u001B[2Jb\nc\u202Ed\u009B1m'), 'a\\u001b[2Jb\\u000ac\\u202ed\\u009b1m')
  assert.doesNotMatch(formatResult([{ '\u001Bkey': { '\u0007': ['\u001B]0;x'] } }]), /\p{Cc}(?<!\n)/u)
})

it('lists and objects within a line can be read', () => {
  assert.equal(formatCell({ phase: 'deleting', rows: 12, none: null }), 'phase=deleting rows=12 none=-')
  assert.equal(formatCell(['#a:b', '#c:d']), '#a:b, #c:d')
  assert.deepEqual([formatCell([]), formatCell({}), formatCell(''), formatCell(0)], ['-', '-', '-', '0'])
})

it('lists of objects in an answer are tables below it', () => {
  const text = formatResult({ verdict: 'differs', servers: [{ server: 'a', n: 1 }], none: [], gaps: 2 })
  assert.equal(text, 'verdict  differs\nnone     -\ngaps     2\n\nservers\n  server  n\n  a       1\n')
})
