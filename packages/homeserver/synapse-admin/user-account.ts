// https://element-hq.github.io/synapse/latest/admin_api/user_admin_api.html
import { Type } from 'typebox'
import { invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { setStanding } from '../accounts/administer.ts'
import { changePassword } from '../accounts/change-password.ts'
import { deactivateAccount, eraseDeactivated } from '../accounts/deactivate.ts'
import { MAX_PASSWORD_LENGTH } from '../accounts/register-user.ts'
import { whoIs } from '../accounts/who-is.ts'
import { defineAdminRequest } from './admin-request.ts'
import { requireAccount, UserParams } from './local-account.ts'
import { requireOther } from './modify-user.ts'
import { viewAccount } from './user-view.ts'

export const synapseGetUser = defineAdminRequest({
  operation: 'synapseGetUser',
  method: 'GET',
  path: '/v2/users/:userId',
  params: UserParams,
  run: async (hs, { params }) => viewAccount(hs, await requireAccount(hs, params.userId)),
})

export const synapseWhois = defineAdminRequest({
  operation: 'synapseWhois',
  method: 'GET',
  path: '/v1/whois/:userId',
  params: UserParams,
  run: async (hs, { params: { userId } }) => {
    await requireAccount(hs, userId)
    return whoIs(hs, userId)
  },
})

export const synapseDeactivateUser = defineAdminRequest({
  operation: 'synapseDeactivateUser',
  method: 'POST',
  path: '/v1/deactivate/:userId',
  params: UserParams,
  body: Type.Object({ erase: Type.Optional(Type.Boolean()) }),
  run: async (hs, { session, params: { userId }, body }) => {
    requireOther(session, userId)
    const user = await requireAccount(hs, userId)
    if (user.deactivatedTs !== 0) {
      // Tools erase what they have deactivated before by the same request.
      if (body.erase === true) await eraseDeactivated(hs, userId)
      return { id_server_unbind_result: 'success' }
    }
    return { id_server_unbind_result: await deactivateAccount(hs, userId, body.erase ?? false) }
  },
})

function setShadowBan(operation: string, method: 'POST' | 'DELETE', isBanned: boolean) {
  return defineAdminRequest({
    operation,
    method,
    path: '/v1/users/:userId/shadow_ban',
    params: UserParams,
    run: async (hs, { session, params: { userId } }) => {
      requireOther(session, userId)
      await requireAccount(hs, userId)
      await setStanding(hs, userId, 'shadowBanned', isBanned)
      return {}
    },
  })
}

export const synapseSuspendUser = defineAdminRequest({
  operation: 'synapseSuspendUser',
  method: 'PUT',
  path: '/v1/suspend/:userId',
  params: UserParams,
  body: Type.Object({ suspend: Type.Boolean() }),
  run: async (hs, { session, params: { userId }, body: { suspend } }) => {
    requireOther(session, userId)
    await requireAccount(hs, userId)
    await setStanding(hs, userId, 'suspended', suspend)
    return { [`user_${userId}_suspended`]: suspend }
  },
})

export const synapseShadowBanUser = setShadowBan('synapseShadowBanUser', 'POST', true)
export const synapseUnshadowBanUser = setShadowBan('synapseUnshadowBanUser', 'DELETE', false)

export const synapseResetPassword = defineAdminRequest({
  operation: 'synapseResetPassword',
  method: 'POST',
  path: '/v1/reset_password/:userId',
  params: UserParams,
  body: Type.Object({
    new_password: Type.String({ maxLength: MAX_PASSWORD_LENGTH }),
    logout_devices: Type.Optional(Type.Boolean()),
  }),
  run: async (hs, { params: { userId }, body }) => {
    await requireAccount(hs, userId)
    await changePassword(hs, userId, body.new_password, { keepDevices: body.logout_devices === false })
    return {}
  },
})

export const synapseGetUserAdmin = defineAdminRequest({
  operation: 'synapseGetUserAdmin',
  method: 'GET',
  path: '/v1/users/:userId/admin',
  params: UserParams,
  run: async (hs, { params }) => ({ admin: (await requireAccount(hs, params.userId)).isAdmin }),
})

export const synapseSetUserAdmin = defineAdminRequest({
  operation: 'synapseSetUserAdmin',
  method: 'PUT',
  path: '/v1/users/:userId/admin',
  params: UserParams,
  body: Type.Object({ admin: Type.Boolean() }),
  run: async (hs, { session, params: { userId }, body: { admin } }) => {
    if (userId === session.userId && !admin) throw invalidParam('You may not demote yourself')
    const user = await requireAccount(hs, userId)
    if (user.deactivatedTs !== 0) throw notFound(`There is no account ${userId} in use`)
    await setStanding(hs, userId, 'admin', admin)
    return {}
  },
})
