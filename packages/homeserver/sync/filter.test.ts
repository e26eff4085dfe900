import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { compileEventFilter, compileSyncFilter } from './filter.ts'

const WANTED = 'org.matrix.msc3874.rel_types'
const UNWANTED = 'org.matrix.msc3874.not_rel_types'

/** Which of these pass: no relation, a thread's, a reference. */
function passing(filter: JsonObject): string {
  const compiled = compileEventFilter(filter)
  const events = ['', 'm.thread', 'm.reference'].map((relType) => ({
    type: 'm.room.message',
    sender: '@ann:a.example',
    content: relType === '' ? {} : { 'm.relates_to': { rel_type: relType, event_id: '$x' } },
  }))
  return events.map((event) => (compiled.passes(event) ? '1' : '0')).join('')
}

test('events pass by the type of their relation (MSC3874)', () => {
  assert.equal(passing({}), '111')
  assert.equal(passing({ [WANTED]: ['m.thread'] }), '010')
  assert.equal(passing({ [WANTED]: ['m.thread', 'm.reference'] }), '011')
  assert.equal(passing({ [WANTED]: [] }), '000')
  assert.equal(passing({ [UNWANTED]: ['m.thread'] }), '101')
  assert.equal(passing({ [UNWANTED]: ['m.thread', 'm.reference'] }), '100')
  assert.equal(passing({ [UNWANTED]: [] }), '111')
  assert.equal(passing({ [WANTED]: ['m.thread', 'm.reference'], [UNWANTED]: ['m.thread'] }), '001')
  assert.equal(passing({ [WANTED]: ['m.thread'], types: ['m.room.topic'] }), '000')
})

test('what is no relation counts as none', () => {
  const [wanted, unwanted] = [WANTED, UNWANTED].map((key) => compileEventFilter({ [key]: ['m.thread'] }))
  for (const relates of [
    null,
    'm.thread',
    [],
    { rel_type: 'm.thread' },
    { rel_type: ['m.thread'], event_id: '$x' },
  ]) {
    const event = { type: 'm.room.message', content: { 'm.relates_to': relates } }
    assert.equal(wanted!.passes(event), false, JSON.stringify(relates))
    assert.equal(unwanted!.passes(event), true, JSON.stringify(relates))
  }
})

test('a filter by relations is one that not everything passes, and has to be lists of texts', () => {
  assert.equal(compileEventFilter({}).passesAll, true)
  assert.equal(compileEventFilter({ [UNWANTED]: ['m.thread'] }).passesAll, false)
  for (const wrong of ['m.thread', [1], {}]) {
    assert.throws(() => compileEventFilter({ [WANTED]: wrong }), { errcode: 'M_BAD_JSON' })
  }
  const long = Array.from({ length: 1_001 }, (_, index) => `t${index}`)
  assert.throws(() => compileSyncFilter({ room: { timeline: { [UNWANTED]: long } } }), {
    errcode: 'M_BAD_JSON',
  })
})
