import { Type } from 'typebox'
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { linkBridge } from '@causeway/bridges/core/admin.ts'
import { defineBridgeCommand } from '../command.ts'

export const command = defineBridgeCommand({
  usage: '<roomId> <server> <channel>',
  summary: 'Link a room with a channel, whoever asked for it',
  input: Type.Object({
    roomId: Type.String({
      description: 'The room, such as !abc:example.org; its bot must be invited',
      pattern: '^!',
    }),
    server: Type.String({ description: 'Name of the server in the configuration' }),
    channel: Type.String({ description: 'The channel, such as "#channel"' }),
    network: Type.Optional(Type.String({ description: 'Kind of network; default irc' })),
    mode: Type.Optional(
      Type.Enum(['relay', 'puppets'], {
        description: 'How people of the room speak; default: as configured',
      }),
    ),
    membership: Type.Optional(
      Type.Enum(['lazy', 'eager'], {
        description: 'When people of the channel appear; default: as configured',
      }),
    ),
    by: Type.Optional(Type.String({ description: 'User id of who asked for it; default: the bot' })),
  }),
  run: async (hub, { roomId, server, channel, network = 'irc', by = hub.port.botUserId, ...options }) => {
    const answer = await linkBridge(hub, { roomId, network, server, channel, by, ...options })
    if ('refusal' in answer) throw invalidParam(`Not linked: ${answer.refusal}`)
    const { portal, state } = answer.link
    return { room_id: roomId, server: portal.server, channel: portal.name, state }
  },
})
