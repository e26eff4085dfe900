import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { MatrixPortError } from './matrix-port.ts'
import { mayBridge } from './power.ts'

const room = (levels: JsonObject | undefined, version = '11', membership = 'join') => ({
  findState: async (_room: string, type: string) => {
    if (type === 'm.room.create') return { room_version: version }
    return type === 'm.room.member' ? { membership } : levels
  },
  findCreator: async () => '@creator:x',
})
const may = (port: ReturnType<typeof room>, userId = '@a:x') => mayBridge(port, '!r', userId)

test('who may send m.bridge may link', async () => {
  assert.equal(await may(room({ users: { '@a:x': 50 } })), true)
  assert.equal(await may(room({ users: { '@a:x': 49 } })), false)
  assert.equal(await may(room({ users: { '@a:x': '50' } })), true, 'levels of old rooms are strings')
  assert.equal(await may(room({ users: { '@a:x': 50 }, state_default: 80 })), false)
  assert.equal(await may(room({ users: { '@a:x': 50 }, events: { 'm.bridge': 60 } })), false)
  assert.equal(await may(room({ users_default: 10, events: { 'm.bridge': 10 } })), true)
  assert.equal(await may(room({ users: { '@a:x': 'much' } })), false)
})

test('creators of rooms from version 12 on may, and of rooms without levels', async () => {
  assert.equal(await may(room({ users: {} }, '12'), '@creator:x'), true)
  assert.equal(await may(room({ users: {} }, '11'), '@creator:x'), false)
  assert.equal(await may(room(undefined), '@creator:x'), true)
  assert.equal(await may(room(undefined)), false)
})

test('who is not in the room, or where we cannot look into it, may not', async () => {
  assert.equal(await may(room({ users: { '@a:x': 100 } }, '11', 'leave')), false)
  const closed = {
    ...room({}),
    findState: async () => Promise.reject(new MatrixPortError(403, 'M_FORBIDDEN', '')),
  }
  assert.equal(await may(closed), false)
  const away = { ...room({}), findState: async () => Promise.reject(new MatrixPortError(0, 'M_UNKNOWN', '')) }
  await assert.rejects(may(away), MatrixPortError)
})
