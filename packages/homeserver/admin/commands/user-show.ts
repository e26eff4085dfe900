import { Type } from 'typebox'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { listDevices } from '@causeway/store/tables/devices.ts'
import { countRoomsOfUser } from '@causeway/store/tables/overview.ts'
import { findProfiles } from '@causeway/store/tables/profiles.ts'
import { findUser } from '@causeway/store/tables/users.ts'
import { defineAdminCommand } from '../command.ts'
import { formatTime } from '../job-view.ts'
import { readLocalUser, userOption } from '../local-user.ts'

export const command = defineAdminCommand({
  usage: '<user>',
  summary: 'Show an account: its standing, its rooms, when it was last used',
  input: Type.Object({ user: userOption }),
  run: async (hs, { user: text }) => {
    const userId = readLocalUser(hs, text)
    const user = await findUser(hs.db, userId)
    if (user === undefined) throw notFound(`There is no account ${userId}`)
    const [profiles, devices, rooms] = await Promise.all([
      findProfiles(hs.db, [userId]),
      listDevices(hs.db, userId),
      countRoomsOfUser(hs.db, userId),
    ])
    const seen = Math.max(0, ...devices.map(({ lastSeenTs }) => lastSeenTs))
    return {
      user_id: userId,
      display_name: profiles.get(userId)?.get('displayname') ?? null,
      created: formatTime(user.createdTs),
      deactivated: user.deactivatedTs === 0 ? null : formatTime(user.deactivatedTs),
      erased: user.isErased,
      admin: user.isAdmin,
      locked: user.isLocked,
      suspended: user.isSuspended,
      shadow_banned: user.isShadowBanned,
      appservice: user.appserviceId === '' ? null : user.appserviceId,
      devices: devices.length,
      last_seen: seen === 0 ? null : formatTime(seen),
      rooms: Object.fromEntries(rooms),
    }
  },
})
