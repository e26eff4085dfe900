import { Type } from 'typebox'
import { purgeRoom } from '../../jobs/purge-room.ts'
import { defineAdminCommand } from '../command.ts'
import { viewJob } from '../job-view.ts'
import { readRoom, roomOption } from '../local-room.ts'

export const command = defineAdminCommand({
  usage: '<room>',
  summary: 'Delete everything that this server has of a room; there is no way back',
  input: Type.Object({
    room: roomOption,
    force: Type.Optional(
      Type.Boolean({ description: 'Have users of this server who are in the room leave it first' }),
    ),
  }),
  run: async (hs, { room: text, force = false }) => {
    const { roomId } = await readRoom(hs, text)
    return viewJob(await purgeRoom(hs, roomId, { force }))
  },
})
