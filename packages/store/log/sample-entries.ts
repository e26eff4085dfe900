import type { DeviceId, EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { AccountDataEntry, EventEntry, ToDeviceEntry } from './entry.ts'

/** Test support: a message of `size` characters in room number `room`. */
export function sampleEvent(room: number, position = 0, size = 20): EventEntry {
  const roomId = `!${room}:a.example` as RoomId
  const clientJson = JSON.stringify({ content: { body: 'x'.repeat(size) } })
  return {
    kind: 'event',
    position,
    roomId,
    event: {
      nid: position,
      eventId: `$${room}-${position}` as EventId,
      roomId,
      roomNid: room,
      type: 'm.room.message',
      sender: '@a:a.example' as UserId,
      stateKey: undefined,
      content: { body: 'x' },
      originServerTs: 1,
      depth: 1,
      stateRoot: 1,
      roomRoot: 1,
      stateBefore: 1,
      stateNid: 0,
      flags: 0,
      clientJson,
      unrelatedAt: 0,
    },
  }
}

export function sampleAccountData(user: number, position = 0): AccountDataEntry {
  const userId = `@${user}:a.example` as UserId
  return { kind: 'account_data', position, userId, roomId: undefined, type: 'm.direct', content: {} }
}

export function sampleToDevice(user: number, position = 0): ToDeviceEntry {
  return { kind: 'to_device', position, userId: `@${user}:a.example` as UserId, deviceId: 'D' as DeviceId }
}
