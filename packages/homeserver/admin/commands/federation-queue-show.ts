import { Type } from 'typebox'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { DEVICES, listUnsentRooms, summarizeUnsent } from '@causeway/store/tables/outbound.ts'
import { findOutboundTransaction } from '@causeway/store/tables/outbound-transactions.ts'
import { findRoomIdByNid } from '@causeway/store/tables/rooms.ts'
import { defineAdminCommand } from '../command.ts'
import { formatTime } from '../job-view.ts'

const MAX_ROOMS = 50

export const command = defineAdminCommand({
  usage: '<server>',
  summary: 'Show what another server is still to be sent, and why it has not got it',
  input: Type.Object({ server: Type.String({ description: 'Name of the server, such as matrix.org' }) }),
  run: async (hs, { server }) => {
    const [summary] = await summarizeUnsent(hs.db, server, 1)
    if (summary === undefined) throw notFound(`Nothing waits for ${server}`)
    const transaction = await findOutboundTransaction(hs.db, server)
    const rows = await listUnsentRooms(hs.db, server, MAX_ROOMS)
    const rooms = rows.filter((row) => row.room_nid !== DEVICES)
    const state = hs.outbound.states().find((one) => one.server === server)
    return {
      server,
      state: state?.phase ?? 'waiting',
      waiting_since: state === undefined ? null : formatTime(state.since),
      failures: state?.failures ?? 0,
      last_error: state?.lastError ?? null,
      next_attempt: state?.retryTs === undefined ? null : formatTime(state.retryTs),
      transaction: transaction?.txn_id ?? null,
      transaction_since: transaction === undefined ? null : formatTime(transaction.created_ts),
      transaction_events: transaction === undefined ? 0 : (JSON.parse(transaction.pdus) as number[]).length,
      transaction_edus: transaction === undefined ? 0 : (JSON.parse(transaction.edus) as object[]).length,
      messages_to_devices: summary.messages,
      device_lists: rows.length > rooms.length,
      rooms: summary.rooms,
      longest_waiting_rooms: await Promise.all(
        rooms.map(async (row) => (await findRoomIdByNid(hs.db, row.room_nid)) ?? null),
      ),
    }
  },
})
