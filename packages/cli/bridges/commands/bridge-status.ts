import { Type } from 'typebox'
import { describeLink } from '@causeway/bridges/core/commands/status.ts'
import { defineBridgeCommand } from '../command.ts'
import { findLinks } from '../find-links.ts'

export const command = defineBridgeCommand({
  usage: '[server] [channel]',
  summary: 'Say how links are doing: connections, people, and what waits or did not get through',
  input: Type.Object({
    server: Type.Optional(Type.String({ description: 'Name of the server in the configuration' })),
    channel: Type.Optional(Type.String({ description: 'The channel, such as "#channel"' })),
  }),
  run: async (hub, which) => {
    const links = findLinks(hub, which)
    return Promise.all(
      links.map(async (link) => ({ room_id: link.roomId, status: await describeLink(hub, link) })),
    )
  },
})
