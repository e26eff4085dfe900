import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyRules } from '@causeway/testkit/matrix/arbitraries.ts'
import { findRoomVersion } from '../room-versions/rules.ts'
import { canonicalJson } from '../json/canonical.ts'
import { checkFormat, findSizeFault } from './check-format.ts'
import fixture from './fixtures/pdus.json' with { type: 'json' }
import type { JsonObject } from './pdu.ts'

const examples = fixture.pdus as unknown as { versions: string[]; pdu: JsonObject }[]
const exampleOf = (version: string): JsonObject => examples.find((one) => one.versions.includes(version))!.pdu

function reasonFor(
  version: string,
  change: JsonObject | ((pdu: JsonObject) => JsonObject),
): string | undefined {
  const pdu = structuredClone(exampleOf(version))
  const changed = typeof change === 'function' ? change(pdu) : { ...pdu, ...change }
  const verdict = checkFormat(findRoomVersion(version)!, changed)
  return verdict.ok ? undefined : verdict.reason
}

const omit = (pdu: JsonObject, omitted: string): JsonObject =>
  Object.fromEntries(Object.entries(pdu).filter(([key]) => key !== omitted))

for (const { versions, pdu } of examples) {
  test(`the specification's ${pdu['type'] as string} example has the format of room versions ${versions.join(', ')}`, () => {
    for (const version of versions) {
      const rules = findRoomVersion(version)!
      const json = canonicalJson(pdu, rules.strictCanonicalJson)
      assert.deepEqual(checkFormat(rules, pdu), { ok: true, pdu, json })
    }
  })
}

test('any JSON gets a verdict', () => {
  fc.assert(
    fc.property(
      anyRules,
      fc.jsonValue(),
      fc.constantFrom('type', 'content', 'hashes', 'signatures', 'prev_events', 'depth'),
      (rules, value, key) => {
        assert.equal(typeof checkFormat(rules, value).ok, 'boolean')
        const odd = { ...exampleOf(rules.version), [key]: value }
        assert.equal(typeof checkFormat(rules, odd).ok, 'boolean')
      },
    ),
  )
})

test('every key that an event needs is missed', () => {
  for (const version of ['1', '3', '6', '11', '12']) {
    const optional = new Set(['unsigned', 'redacts', 'state_key'])
    for (const key of Object.keys(exampleOf(version)).filter((one) => !optional.has(one))) {
      const reason = reasonFor(version, (pdu) => omit(pdu, key))
      assert.match(reason ?? 'accepted', new RegExp(`^${key}`), `${version} without ${key}`)
    }
  }
})

test('values of the wrong type are refused key by key', () => {
  const wrong: JsonObject = {
    type: 1,
    sender: 'alice',
    state_key: null,
    room_id: '!a',
    content: [],
    hashes: {},
    signatures: { 'a.b': { k: 1 } },
    unsigned: [],
    origin: 1,
    redacts: 'x',
    origin_server_ts: '1',
    depth: -1,
    prev_events: {},
    auth_events: ['x'],
  }
  for (const [key, value] of Object.entries(wrong)) {
    assert.match(reasonFor('11', { [key]: value }) ?? 'accepted', new RegExp(`^${key}`), key)
  }
})

test('lists of events are bounded, and have the form of their room version', () => {
  const ids = (count: number): string[] => Array.from({ length: count }, (_, i) => `$${i}`)
  assert.equal(reasonFor('11', { prev_events: ids(20), auth_events: ids(10) }), undefined)
  assert.match(reasonFor('11', { prev_events: ids(21) })!, /at most 20/)
  assert.match(reasonFor('11', { auth_events: ids(11) })!, /at most 10/)
  assert.match(reasonFor('1', { prev_events: ids(1) })!, /prev_events/)
  assert.match(reasonFor('3', { prev_events: [['$a:b', { sha256: 'x' }]] })!, /prev_events/)
  assert.match(reasonFor('1', { prev_events: [['$a:b', {}, 1]] })!, /prev_events/)
})

test('type and state key are limited in characters here, in bytes by authorisation; the sender in bytes', () => {
  assert.equal(reasonFor('11', { type: 'é'.repeat(127), state_key: 'é'.repeat(127) }), undefined)
  assert.match(reasonFor('11', { type: 'é'.repeat(256) })!, /type .* 255 characters/)
  assert.match(reasonFor('11', { state_key: '😀'.repeat(256) })!, /state_key .* 255 characters/)
  assert.equal(reasonFor('11', { type: 'é'.repeat(128) }), undefined)
  assert.equal(reasonFor('11', { state_key: '😀'.repeat(64) }), undefined)
  assert.match(findSizeFault({ type: 'é'.repeat(128) })!, /type .* 255 bytes/)
  assert.match(findSizeFault({ type: 'x', state_key: '😀'.repeat(64) })!, /state key .* 255 bytes/)
  assert.equal(findSizeFault({ type: 'é'.repeat(127), state_key: '😀'.repeat(63) }), undefined)
  assert.match(reasonFor('11', { sender: `@${'é'.repeat(128)}:a` })!, /sender/)
})

test('an event has at most 65536 bytes as canonical JSON with its signatures', () => {
  const rules = findRoomVersion('11')!
  const pdu = exampleOf('11')
  const rest = JSON.stringify({ ...pdu, content: { body: '' } }).length
  const ofSize = (bytes: number): JsonObject => ({ ...pdu, content: { body: 'a'.repeat(bytes - rest) } })
  assert.ok(checkFormat(rules, ofSize(65_536)).ok)
  assert.equal(checkFormat(rules, ofSize(65_537)).ok, false)
  assert.equal(checkFormat(rules, { ...pdu, content: { body: '😀'.repeat(16_400) } }).ok, false)
})

test('numbers outside the canonical range are refused from room version 6 on', () => {
  for (const content of [{ a: 0.5 }, { a: 2 ** 53 }]) {
    assert.equal(reasonFor('5', { content }), undefined)
    assert.match(reasonFor('6', { content })!, /integers/)
  }
  assert.equal(reasonFor('5', { depth: 2 ** 60 }), undefined)
  assert.match(reasonFor('6', { depth: 2 ** 53 })!, /depth/)
  assert.match(reasonFor('5', { depth: 2 ** 64 })!, /depth/)
  assert.match(reasonFor('5', { depth: 1.5 })!, /depth/)
})

test('lone surrogates are refused in every room version', () => {
  for (const version of ['1', '5', '12']) {
    assert.match(reasonFor(version, { content: { body: '\ud800' } })!, /Unicode/)
    assert.notEqual(reasonFor(version, { state_key: '\ud800' }), undefined)
  }
})

test('only the create event of version 12 may do without a room', () => {
  const create = (pdu: JsonObject): JsonObject => ({
    ...omit(pdu, 'room_id'),
    type: 'm.room.create',
    state_key: '',
  })
  assert.equal(reasonFor('12', create), undefined)
  assert.match(reasonFor('11', create)!, /room_id/)
  assert.match(
    reasonFor('12', (pdu) => ({ ...create(pdu), state_key: 'x' }))!,
    /room_id/,
  )
  assert.match(reasonFor('12', { room_id: '!a:example.org' })!, /room_id/)
})
