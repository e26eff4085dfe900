import { Type } from 'typebox'
import { summarizeUnsent } from '@causeway/store/tables/outbound.ts'
import { defineAdminCommand } from '../command.ts'
import { formatTime } from '../job-view.ts'

const DEFAULT_LIMIT = 100

export const command = defineAdminCommand({
  usage: '',
  summary: 'List other servers that something is still to be sent to, those with the most rooms first',
  input: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, description: 'Servers at most (100)' })),
  }),
  run: async (hs, { limit = DEFAULT_LIMIT }) => {
    const rows = await summarizeUnsent(hs.db, undefined, limit)
    const states = new Map(hs.outbound.states().map((state) => [state.server as string, state]))
    return rows.map((row) => {
      const state = states.get(row.server_name)
      return {
        server: row.server_name,
        rooms: row.rooms,
        messages_to_devices: row.messages,
        transaction_since: row.created_ts === 0 ? null : formatTime(row.created_ts),
        state: state?.phase ?? 'waiting',
        failures: state?.failures ?? 0,
        next_attempt: state?.retryTs === undefined ? null : formatTime(state.retryTs),
      }
    })
  },
})
