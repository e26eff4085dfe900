import { Type } from 'typebox'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { unlinkBridge } from '@causeway/bridges/core/admin.ts'
import { defineBridgeCommand } from '../command.ts'

export const command = defineBridgeCommand({
  usage: '<server> <channel>',
  summary: 'End the link of a channel',
  input: Type.Object({
    server: Type.String({ description: 'Name of the server in the configuration' }),
    channel: Type.String({ description: 'The channel, such as "#channel"' }),
    network: Type.Optional(Type.String({ description: 'Kind of network; default irc' })),
    keepGhosts: Type.Optional(
      Type.Boolean({ description: 'Leave the people of the channel in the room, silent' }),
    ),
  }),
  run: async (hub, { server, channel, network = 'irc', keepGhosts = false }) => {
    const by = 'an administrator of the homeserver'
    const which = { network, server, channel }
    const link = await unlinkBridge(hub, which, { by, removeGhosts: !keepGhosts })
    if (link === undefined) throw notFound(`${channel} on ${server} is not linked`)
    return { room_id: link.roomId, server, channel: link.portal.name, state: 'leaving' }
  },
})
