import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { roomsFromText, roomsToText } from './connection-json.ts'
import type { SentRoom } from './connection.ts'
import {
  addedPairs,
  combine,
  isExpanded,
  parseConfig,
  requires,
  requiresAllMembers,
  toldBy,
  type Pair,
} from './room-config.ts'

const ALICE = '@alice:test.example'
const config = (limit: number, ...pairs: Pair[]) => parseConfig(limit, pairs, ALICE)
const name: Pair = ['m.room.name', '']
const topic: Pair = ['m.room.topic', '']
const change = ([type, stateKey]: Pair) => ({ type, stateKey })

describe('what is asked for of a room', () => {
  it('says which state it is: by name, by type, by key, all, of the user themselves', () => {
    const asked = config(1, name, ['m.space.child', '*'], ['*', 'x'], ['m.room.member', '$ME'])
    assert.ok(requires(asked, 'm.room.name', ''))
    assert.ok(!requires(asked, 'm.room.name', 'other'))
    assert.ok(requires(asked, 'm.space.child', '!any:test.example'))
    assert.ok(requires(asked, 'com.example.any', 'x'))
    assert.ok(requires(asked, 'm.room.member', ALICE))
    assert.ok(!requires(asked, 'm.room.member', '@bob:test.example'))
    assert.ok(!asked.lazy)
    assert.ok(config(1, ['m.room.member', '$LAZY']).lazy)
    assert.ok(requiresAllMembers(config(1, ['*', '*'])))
    assert.ok(requiresAllMembers(config(1, ['m.room.member', '*'])))
    assert.ok(!requiresAllMembers(config(1, ['m.room.member', '$LAZY'])))
  })

  it('is the same in whatever order it is said', () => {
    assert.equal(config(1, name, topic).key, config(1, topic, name, name).key)
    assert.notEqual(config(1, name).key, config(2, name).key)
  })

  it('is put together, and compared with what was asked for before', () => {
    const [less, more] = [config(5, name), config(1, name, topic)]
    assert.equal(combine(less, more).key, config(5, name, topic).key)
    assert.deepEqual(addedPairs(less, more), [topic])
    assert.ok(isExpanded(less, more))
    assert.ok(isExpanded(more, less), 'more events')
    assert.ok(!isExpanded(combine(less, more), more))
    assert.deepEqual(addedPairs(config(1, ['*', '*']), more), [])
    assert.deepEqual(addedPairs(more, config(1, ['m.room.name', '*'])), [['m.room.name', '*']])
  })

  it('is remembered as told beyond what is asked for, until that changes unseen', () => {
    const [wide, narrow] = [config(5, name, topic), config(5, name)]
    assert.equal(toldBy(undefined, wide, 5, []).key, wide.key)
    assert.equal(toldBy(wide, narrow, 5, []).key, wide.key)
    assert.equal(toldBy(wide, narrow, 5, [change(name)]).key, wide.key, 'it was told')
    assert.equal(toldBy(wide, narrow, 5, [change(topic)]).key, narrow.key)
    const all = config(5, ['*', '*'])
    assert.equal(toldBy(all, narrow, 5, [change(topic)]).key, narrow.key, 'nothing is known of the rest')
    assert.equal(toldBy(all, narrow, 5, []).required.get('*')?.has('*'), true)
  })

  it('is kept with what was told of each room', () => {
    const [first, second] = [config(5, name, ['m.room.member', '$LAZY']), config(1)]
    const rooms = new Map<number, SentRoom>([
      [3, { config: first, until: undefined, told: 3 }],
      [1, { config: second, until: 0, told: 0 }],
      [2, { config: first, until: 77, told: 1 }],
    ])
    const read = roomsFromText(roomsToText(rooms))
    assert.deepEqual([...read.keys()], [3, 1, 2])
    for (const [nid, { config: told, until, told: bits }] of rooms) {
      const one = read.get(nid)!
      assert.deepEqual([one.config.key, one.until, one.told], [told.key, until, bits])
      assert.equal(one.config.lazy, told.lazy)
    }
  })
})
