import { Type } from 'typebox'
import { sendNotice } from '../../server-notices/send-notice.ts'
import { defineAdminCommand } from '../command.ts'
import { readLocalUser, userOption } from '../local-user.ts'

export const command = defineAdminCommand({
  usage: '<user> <message>',
  summary: 'Tell somebody something in the name of the server, in a room they are invited to',
  input: Type.Object({
    user: userOption,
    message: Type.String({ minLength: 1, maxLength: 32_768, description: 'What to say, as plain text' }),
  }),
  run: async (hs, { user, message }) => {
    const target = readLocalUser(hs, user)
    const content = { msgtype: 'm.text', body: message }
    return { user_id: target, event_id: await sendNotice(hs, { target, content }) }
  },
})
