// https://spec.matrix.org/v1.19/client-server-api/#filtering
import { Type } from 'typebox'
import { defineEndpoint } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import { requireSelf } from './own-user.ts'
import { v3 } from './paths.ts'
import { userIdText } from './schemas.ts'

export const defineFilter = defineEndpoint({
  operation: 'defineFilter',
  method: 'POST',
  ...v3('/user/:userId/filter'),
  auth: 'user',
  rateLimit: 'read',
  params: Type.Object({ userId: userIdText }),
  body: jsonObject,
  run: async (hs, { session, params: { userId }, body }) => {
    requireSelf(session, userId)
    return { filter_id: await hs.filters.add(userId, body) }
  },
})

export const getFilter = defineEndpoint({
  operation: 'getFilter',
  method: 'GET',
  ...v3('/user/:userId/filter/:filterId'),
  auth: 'user',
  rateLimit: 'read',
  params: Type.Object({ userId: userIdText, filterId: Type.String({ minLength: 1 }) }),
  run: async (hs, { session, params: { userId, filterId } }) => {
    requireSelf(session, userId)
    return hs.filters.definition(userId, filterId)
  },
})
