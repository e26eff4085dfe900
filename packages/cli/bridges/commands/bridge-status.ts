import { Type } from 'typebox'
import { describeBridges } from '@causeway/bridges/core/admin.ts'
import { defineBridgeCommand } from '../command.ts'

export const command = defineBridgeCommand({
  usage: '[server] [channel]',
  summary: 'Say how links are doing: connections, people, and what waits or did not get through',
  input: Type.Object({
    server: Type.Optional(Type.String({ description: 'Name of the server in the configuration' })),
    channel: Type.Optional(Type.String({ description: 'The channel, such as "#channel"' })),
  }),
  run: async (hub, which) => {
    const found = await describeBridges(hub, which)
    return found.map(({ link, health }) => ({ room_id: link.roomId, status: health }))
  },
})
