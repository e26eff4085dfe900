// https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1queryprofile
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { userIdText } from '../../client/schemas.ts'
import { defineEndpoint } from '../../http/endpoint.ts'
import { readLocalProfile } from '../../profile/read-profile.ts'
import { requireOurUser } from '../require-ours.ts'

export const queryProfile = defineEndpoint({
  operation: 'queryProfile',
  method: 'GET',
  path: '/_matrix/federation/v1/query/profile',
  auth: 'server',
  rateLimit: 'federation',
  query: Type.Object({ user_id: userIdText, field: Type.Optional(Type.String()) }),
  run: async (hs, { query }): Promise<JsonObject> => {
    const { user_id: userId, field } = query
    requireOurUser(hs, userId)
    const profile = await readLocalProfile(hs, userId)
    if (field === undefined) return Object.fromEntries(profile)
    const value = profile.get(field)
    return value === undefined ? {} : { [field]: value }
  },
})
