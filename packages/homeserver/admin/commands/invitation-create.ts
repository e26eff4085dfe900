import { Type } from 'typebox'
import { createRegistrationToken } from '../../accounts/administer.ts'
import { invitationLink } from '../../accounts/first-admin.ts'
import { defineAdminCommand } from '../command.ts'

const DAY_MS = 86_400_000

export const command = defineAdminCommand({
  usage: '',
  summary: 'Make a link with which somebody can make an account',
  input: Type.Object({
    token: Type.Optional(Type.String({ description: 'A name for it; without one it is made up' })),
    uses: Type.Optional(
      Type.Integer({ description: 'How many accounts; default 1, 0 for any number', minimum: 0 }),
    ),
    days: Type.Optional(
      Type.Integer({
        description: 'How many days it is good for; default 7, 0 for ever',
        minimum: 0,
        maximum: 3650,
      }),
    ),
    admin: Type.Optional(Type.Boolean({ description: 'Whoever uses it becomes an administrator' })),
  }),
  run: async (hs, { token, uses = 1, days = 7, admin = false }) => {
    const made = await createRegistrationToken(hs, {
      makesAdmin: admin,
      ...(token === undefined ? {} : { token }),
      ...(uses === 0 ? {} : { usesAllowed: uses }),
      ...(days === 0 ? {} : { expiresTs: hs.clock.now() + days * DAY_MS }),
    })
    return { link: invitationLink(hs, made.token), token: made.token, uses: uses === 0 ? 'any number' : uses }
  },
})
