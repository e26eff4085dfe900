import assert from 'node:assert/strict'
import { test } from 'node:test'
import fixture from './fixtures/matrix-links.json' with { type: 'json' }
import { formatMatrixTo, parseMatrixLink } from './matrix-links.ts'
import type { MentionTarget } from './tree.ts'

for (const { uri, target } of fixture.links as { uri: string; target: MentionTarget }[]) {
  test(`the specification's ${uri} points where it says, and what we write points there too`, () => {
    assert.deepEqual(parseMatrixLink(uri), target)
    assert.deepEqual(parseMatrixLink(formatMatrixTo(target)!), target)
  })
}

test('an id stands in a URI without its sigil', () => {
  const [id, without] = fixture.withoutSigil
  assert.deepEqual(parseMatrixLink(`matrix:roomid/${without}`), { kind: 'room', room: id })
})
