import { Type } from 'typebox'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { startUnlink } from '@causeway/bridges/core/links/unlink.ts'
import { defineBridgeCommand } from '../command.ts'
import { findLinks } from '../find-links.ts'

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
    const [link] = findLinks(hub, { network, server, channel })
    if (link === undefined) throw notFound(`${channel} on ${server} is not linked`)
    if (link.state !== 'leaving') {
      const by = 'an administrator of the homeserver'
      await startUnlink(hub, link, { side: 'matrix', by, removeGhosts: !keepGhosts })
    }
    return { room_id: link.roomId, server, channel: link.portal.name, state: 'leaving' }
  },
})
