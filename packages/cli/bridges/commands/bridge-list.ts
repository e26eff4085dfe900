import { Type } from 'typebox'
import { listBridges } from '@causeway/bridges/core/admin.ts'
import { defineBridgeCommand } from '../command.ts'

export const command = defineBridgeCommand({
  usage: '',
  summary: 'List rooms that are linked with channels, or are about to be',
  input: Type.Object({
    network: Type.Optional(Type.String({ description: 'Only this kind of network, such as irc' })),
    server: Type.Optional(Type.String({ description: 'Only this server of the configuration' })),
  }),
  run: async (hub, { network, server }) =>
    listBridges(hub, { network, server }).map(
      ({ portal, roomId, state, options, requestedBy, createdTs }) => ({
        ...{ network: portal.network, server: portal.server, channel: portal.name, room_id: roomId, state },
        ...{ mode: options.mode, membership: options.membership, by: requestedBy },
        since: new Date(createdTs).toISOString(),
      }),
    ),
})
