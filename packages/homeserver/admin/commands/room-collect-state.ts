import { Type } from 'typebox'
import { collectRoomState } from '../../jobs/collect-state.ts'
import { defineAdminCommand } from '../command.ts'
import { viewJob } from '../job-view.ts'
import { readRoom, roomOption } from '../local-room.ts'

export const command = defineAdminCommand({
  usage: '<room>',
  summary: "Delete what of a room's stored state no event refers to any more",
  input: Type.Object({ room: roomOption }),
  run: async (hs, { room: text }) => {
    const { roomId } = await readRoom(hs, text)
    return viewJob(await collectRoomState(hs, roomId))
  },
})
