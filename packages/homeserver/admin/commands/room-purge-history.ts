import { Type } from 'typebox'
import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { purgeHistory, type PurgeUpTo } from '../../jobs/purge-history.ts'
import { defineAdminCommand } from '../command.ts'
import { viewJob } from '../job-view.ts'
import { readRoom, roomOption } from '../local-room.ts'

const DAY_MS = 24 * 3_600_000

export const command = defineAdminCommand({
  usage: '<room>',
  summary:
    'Delete the messages of a room’s past here; its state, and the newest message, stay; there is no way back',
  input: Type.Object({
    room: roomOption,
    before: Type.Optional(
      Type.String({
        description: 'What was said before this time, such as 2026-01-31 or 2026-01-31T12:00:00Z (UTC)',
      }),
    ),
    olderThanDays: Type.Optional(
      Type.Integer({ description: 'What was said so many days ago and more', minimum: 1, maximum: 36_500 }),
    ),
    beforeEvent: Type.Optional(Type.String({ description: 'What stands before this event' })),
    own: Type.Optional(
      Type.Boolean({
        description: 'Also what people of this server said, of which there may be no other copy',
      }),
    ),
  }),
  run: async (hs, { room: text, before, olderThanDays, beforeEvent, own = false }) => {
    const { roomId } = await readRoom(hs, text)
    const upTo: PurgeUpTo[] = [
      ...(before === undefined ? [] : [{ ts: readTime(before) }]),
      ...(olderThanDays === undefined ? [] : [{ ts: hs.clock.now() - olderThanDays * DAY_MS }]),
      ...(beforeEvent === undefined ? [] : [{ eventId: beforeEvent as EventId }]),
    ]
    const [only] = upTo
    if (only === undefined || upTo.length > 1)
      throw invalidParam('Say up to where, in one way: --before, --older-than-days or --before-event')
    return viewJob(await purgeHistory(hs, roomId, { upTo: only, deletesOwn: own }))
  },
})

function readTime(text: string): number {
  const ts = Date.parse(text)
  if (!/^\d{4}-\d\d-\d\d/.test(text) || Number.isNaN(ts))
    throw invalidParam(`"${text}" is no time: write 2026-01-31, or 2026-01-31T12:00:00Z`)
  return ts
}
