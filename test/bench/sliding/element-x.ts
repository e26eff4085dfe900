import type { JsonObject } from '@causeway/matrix/events/pdu.ts'

const REQUIRED = [
  ['m.room.name', ''],
  ['m.room.encryption', ''],
  ['m.room.member', '$LAZY'],
  ['m.room.member', '$ME'],
  ['m.room.topic', ''],
  ['m.room.avatar', ''],
  ['m.room.canonical_alias', ''],
  ['m.room.power_levels', ''],
  ['m.room.join_rules', ''],
  ['m.room.history_visibility', ''],
  ['m.room.tombstone', ''],
  ['m.room.create', ''],
  ['org.matrix.msc3401.call.member', '*'],
  ['m.space.child', '*'],
  ['m.space.parent', '*'],
]

/** What Element X asks for in the rooms of its list, from the newest to the one at `last`. */
export function askingLikeElementX(last: number, connId: string): JsonObject {
  return {
    conn_id: connId,
    lists: {
      all_rooms: {
        ranges: [[0, last]],
        timeline_limit: 1,
        required_state: REQUIRED,
        filters: { not_room_types: ['m.space'] },
      },
    },
    extensions: {
      account_data: { enabled: true },
      receipts: { enabled: true },
      typing: { enabled: true },
      e2ee: { enabled: true },
    },
  }
}

/** What the room at a place is made with: a name and a topic each, every second one is encrypted. */
export function roomAt(at: number): JsonObject {
  const encryption = {
    type: 'm.room.encryption',
    state_key: '',
    content: { algorithm: 'm.megolm.v1.aes-sha2' },
  }
  return {
    preset: 'public_chat',
    name: `Room ${at}`,
    topic: 'A topic',
    initial_state: at % 2 === 0 ? [encryption] : [],
  }
}
