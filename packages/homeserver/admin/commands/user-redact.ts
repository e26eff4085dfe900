import { Type } from 'typebox'
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { parseUserId } from '@causeway/matrix/ids/user-id.ts'
import { redactUserIn } from '../../jobs/redact-user.ts'
import { defineAdminCommand } from '../command.ts'
import { viewJob } from '../job-view.ts'
import { readRoom, roomOption } from '../local-room.ts'
import { readLocalUser } from '../local-user.ts'

export const command = defineAdminCommand({
  usage: '<user> <room>',
  summary: 'Remove everything somebody said in a room, by redactions that everybody in it sees',
  input: Type.Object({
    user: Type.String({ description: 'A user id, also one of another server' }),
    room: roomOption,
    by: Type.Optional(
      Type.String({
        description: 'Who removes it: somebody here who is in the room and may; default: the user',
      }),
    ),
    reason: Type.Optional(Type.String({ description: 'Shown with each redaction', maxLength: 512 })),
  }),
  run: async (hs, { user, room, by, reason }) => {
    const userId = user.startsWith('@') ? parseUserId(user) : readLocalUser(hs, user)
    if (userId === undefined) throw invalidParam(`"${user}" is no user id`)
    const { roomId } = await readRoom(hs, room)
    const sender = by === undefined ? undefined : readLocalUser(hs, by)
    return viewJob(await redactUserIn(hs, { roomId, userId, by: sender, reason }))
  },
})
