import { Type } from 'typebox'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { listRefusedRows } from '@causeway/store/tables/rejections.ts'
import { pduOfRow } from '../../rooms/stored-event.ts'
import { defineAdminCommand } from '../command.ts'
import { formatTime } from '../job-view.ts'
import { readRoom, roomOption } from '../local-room.ts'

/** The last time that a date can be. */
const MAX_TIME = 8.64e15

export const command = defineAdminCommand({
  usage: '<room>',
  summary: 'List events of other servers that a room has refused, and why',
  input: Type.Object({
    room: roomOption,
    after: Type.Optional(
      Type.Integer({ description: 'Begin behind this number, the last one of the page before' }),
    ),
    limit: Type.Optional(
      Type.Integer({
        description: 'How many, the one refused last first',
        minimum: 1,
        maximum: 1_000,
        default: 100,
      }),
    ),
  }),
  run: async (hs, { room: text, after, limit = 100 }) => {
    const room = await readRoom(hs, text)
    const rows = await listRefusedRows(hs.db, room.roomNid, { after, limit })
    return rows.map((row) => {
      const { type, sender, state_key: stateKey, origin_server_ts: sentTs } = pduOfRow(row)
      return {
        event_id: row.event_id,
        verdict: (row.flags & EventFlag.rejected) === 0 ? 'soft-failed' : 'rejected',
        reason: row.reason,
        type,
        state_key: stateKey ?? null,
        sender,
        // As its sender says: whoever sends what is refused may well lie.
        sent: Math.abs(sentTs) <= MAX_TIME ? formatTime(sentTs) : null,
        number: row.nid,
      }
    })
  },
})
