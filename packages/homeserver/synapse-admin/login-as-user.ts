// https://element-hq.github.io/synapse/latest/admin_api/user_admin_api.html#login-as-a-user
import { Type } from 'typebox'
import { invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { logInAs } from '../accounts/log-in.ts'
import { defineAdminRequest } from './admin-request.ts'
import { requireAccount, UserParams } from './local-account.ts'

/**
 * A login as somebody else. Unlike with Synapse it is a device of the user's, which they see among theirs and can end:
 * whoever acts in somebody's name does not do it behind their back.
 */
export const synapseLogInAsUser = defineAdminRequest({
  operation: 'synapseLogInAsUser',
  method: 'POST',
  path: '/v1/users/:userId/login',
  params: UserParams,
  body: Type.Object({
    valid_until_ms: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.Null()])),
  }),
  run: async (hs, { session, params: { userId }, body, ip }) => {
    if (session.userId === userId) throw invalidParam('Cannot use admin API to login as self')
    const user = await requireAccount(hs, userId)
    if (user.deactivatedTs !== 0) throw notFound(`There is no account ${userId} in use`)
    // What a locked account is answered would log the administrator's own client out.
    if (user.isLocked) throw invalidParam(`The account ${userId} is locked`)
    const displayName = `An administrator: ${session.userId}`.slice(0, 255)
    const device = { deviceId: undefined, displayName, refreshable: false, ip }
    const expiresTs = body.valid_until_ms ?? 0
    const { access_token: token } = await logInAs(hs, user, { ...device, expiresTs })
    return { access_token: token! }
  },
})
