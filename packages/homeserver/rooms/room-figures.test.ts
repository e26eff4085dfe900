import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { createRoomFigures } from './room-figures.ts'

const roomId = (n: number): RoomId => `!room${String(n).padStart(5, '0')}:test` as RoomId

it('the rooms with the greatest figures are told one by one, and all others as a sum', () => {
  const figures = createRoomFigures()
  for (let n = 1; n <= 5; n++) figures.noteResolution(roomId(n), n * 10)
  figures.noteResolution(roomId(1), 100)
  assert.deepEqual(figures.resolutionMs.top(2), {
    rooms: [
      [roomId(1), 110],
      [roomId(5), 50],
    ],
    others: 90,
  })
})

it('a room that ends in one branch again is told of no more', () => {
  const figures = createRoomFigures()
  figures.noteExtremities(roomId(1), 3)
  figures.noteExtremities(roomId(2), 1)
  assert.deepEqual(figures.extremities.top(10), { rooms: [[roomId(1), 3]], others: 0 })
  figures.noteExtremities(roomId(1), 1)
  assert.deepEqual(figures.extremities.top(10), { rooms: [], others: 0 })
})

it('however many rooms strangers make, no more than two hundred are kept, the greatest', () => {
  const figures = createRoomFigures()
  for (let n = 0; n < 3_000; n++) figures.noteResolution(roomId(n), 1)
  figures.noteResolution(roomId(9_999), 50)
  const { rooms, others } = figures.resolutionMs.top(100_000)
  assert.equal(rooms.length, 200)
  assert.deepEqual(rooms[0], [roomId(9_999), 50])
  assert.equal(others + rooms.reduce((sum, [, ms]) => sum + ms, 0), 3_050)
})
