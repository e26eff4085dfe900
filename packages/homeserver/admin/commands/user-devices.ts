import { Type } from 'typebox'
import { listDevices } from '@causeway/store/tables/devices.ts'
import { defineAdminCommand } from '../command.ts'
import { formatTime } from '../job-view.ts'
import { readLocalUser, userOption } from '../local-user.ts'

export const command = defineAdminCommand({
  usage: '<user>',
  summary: 'List the devices of an account',
  input: Type.Object({ user: userOption }),
  run: async (hs, { user }) => {
    const devices = await listDevices(hs.db, readLocalUser(hs, user))
    return devices.map((device) => ({
      device_id: device.deviceId,
      name: device.displayName === '' ? null : device.displayName,
      created: formatTime(device.createdTs),
      last_seen: device.lastSeenTs === 0 ? null : formatTime(device.lastSeenTs),
      last_ip: device.lastSeenIp === '' ? null : device.lastSeenIp,
      dehydrated: device.isDehydrated,
    }))
  },
})
