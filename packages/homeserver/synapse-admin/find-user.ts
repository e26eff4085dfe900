// https://element-hq.github.io/synapse/latest/admin_api/user_admin_api.html
import { Type } from 'typebox'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { findThreepidUser } from '@causeway/store/tables/threepids.ts'
import { chooseUserId } from '../accounts/usernames.ts'
import { readThirdPartyAddress } from '../addresses/third-party-address.ts'
import { defineAdminRequest } from './admin-request.ts'

/** As `/register/available`, also where registration is closed. */
export const synapseUsernameAvailable = defineAdminRequest({
  operation: 'synapseUsernameAvailable',
  method: 'GET',
  path: '/v1/username_available',
  query: Type.Object({ username: Type.String({ maxLength: 255 }) }),
  run: async (hs, { query }) => {
    await chooseUserId(hs, query.username)
    return { available: true }
  },
})

export const synapseUserByThreepid = defineAdminRequest({
  operation: 'synapseUserByThreepid',
  method: 'GET',
  path: '/v1/threepid/:medium/users/:address',
  params: Type.Object({ medium: Type.String(), address: Type.String({ maxLength: 1_024 }) }),
  run: async (hs, { params: { medium, address: text } }) => {
    const address = readThirdPartyAddress(medium, text)
    const userId = address === undefined ? undefined : await findThreepidUser(hs.db, address)
    if (userId === undefined) throw notFound('User not found')
    return { user_id: userId }
  },
})

/** Accounts have no identities elsewhere, since this server has no single sign-on: nobody is found by one. */
export const synapseUserByExternalId = defineAdminRequest({
  operation: 'synapseUserByExternalId',
  method: 'GET',
  path: '/v1/auth_providers/:provider/users/:externalId',
  params: Type.Object({
    provider: Type.String({ maxLength: 255 }),
    externalId: Type.String({ maxLength: 1_024 }),
  }),
  run: async () => {
    throw notFound('User not found')
  },
})
