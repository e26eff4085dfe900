import { Type } from 'typebox'
import { countWaitingPushes } from '@causeway/store/tables/push-queue.ts'
import { EMAIL, listPushersOfUser } from '@causeway/store/tables/pushers.ts'
import { defineAdminCommand } from '../command.ts'
import { formatTime } from '../job-view.ts'
import { readLocalUser, userOption } from '../local-user.ts'

export const command = defineAdminCommand({
  usage: '<user>',
  summary: 'List where an account is notified, and what waits there',
  input: Type.Object({ user: userOption }),
  run: async (hs, { user }) => {
    const pushers = await listPushersOfUser(hs.db, readLocalUser(hs, user))
    const waiting = await countWaitingPushes(
      hs.db,
      pushers.map(({ nid }) => nid),
    )
    return pushers.map((pusher) => ({
      app_id: pusher.app_id,
      device: pusher.device_display_name,
      device_id: pusher.device_id === '' ? null : pusher.device_id,
      gateway: pusher.kind === EMAIL ? pusher.pushkey : pusher.gateway,
      set: formatTime(pusher.set_ts),
      failing_since: pusher.failing_since === 0 ? null : formatTime(pusher.failing_since),
      waiting_rooms: waiting.get(pusher.nid) ?? 0,
    }))
  },
})
