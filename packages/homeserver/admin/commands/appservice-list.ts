import { Type } from 'typebox'
import { listAppserviceStates } from '../../appservice/appservices.ts'
import { defineAdminCommand } from '../command.ts'
import { formatTime } from '../job-view.ts'

export const command = defineAdminCommand({
  usage: '',
  summary: 'List application services, and whether they can be reached',
  input: Type.Object({}),
  run: async (hs) =>
    listAppserviceStates(hs.appservices).map((one) => ({
      id: one.id,
      sender: one.sender,
      url: one.url ?? null,
      // Without a queue: it is sent nothing.
      state: one.state ?? 'silent',
      since: one.since === undefined ? null : formatTime(one.since),
      failures: one.failures ?? 0,
      next_attempt: one.retryTs === undefined ? null : formatTime(one.retryTs),
      last_error: one.lastError ?? null,
    })),
})
