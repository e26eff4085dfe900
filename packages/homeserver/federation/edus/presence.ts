// https://spec.matrix.org/v1.19/server-server-api/#presence
import { Type } from 'typebox'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { listSharingUsers } from '@causeway/store/tables/remote-devices.ts'
import { userIdText } from '../../client/schemas.ts'
import { defineEdu } from './edu-handler.ts'

/** Of one transaction; presence is worth no more. */
const MAX_UPDATES = 500
const MAX_STATUS_LENGTH = 1_000

const Update = Type.Object({
  user_id: userIdText,
  presence: Type.Enum(['online', 'unavailable', 'offline']),
  status_msg: Type.Optional(Type.Unknown()),
  last_active_ago: Type.Optional(Type.Unknown()),
  currently_active: Type.Optional(Type.Unknown()),
})

/** Only of users who share a room with one of ours. Costs one query, and no write. */
export const presenceUpdates = defineEdu(
  Type.Object({ push: Type.Array(Update) }),
  async ({ hs, origin, refuse }, contents) => {
    if (!hs.config.presence.enabled) return
    const all = contents.flatMap(({ push }) => push)
    const own = all.filter(({ user_id: userId }) => serverNameOf(userId) === origin).slice(0, MAX_UPDATES)
    // Of several about one user, the last.
    const last = new Map(own.map((update) => [update.user_id, update]))
    const sharers = await listSharingUsers(hs.db, [...last.keys()])
    refuse(all.length - own.length)
    for (const [userId, update] of last) {
      if (!sharers.has(userId)) {
        refuse()
        continue
      }
      const { status_msg: status, last_active_ago: ago } = update
      await hs.presence.hear(userId, {
        state: update.presence,
        statusMsg: typeof status === 'string' ? status.slice(0, MAX_STATUS_LENGTH).toWellFormed() : undefined,
        lastActiveAgo: typeof ago === 'number' && ago >= 0 ? Math.floor(ago) : undefined,
        currentlyActive: update.currently_active === true && update.presence !== 'offline',
      })
    }
  },
)
