// https://element-hq.github.io/synapse/latest/admin_api/user_admin_api.html#override-ratelimiting-for-users
import { Type } from 'typebox'
import {
  deleteRateLimitOverride,
  findRateLimitOverride,
  setRateLimitOverride,
} from '@causeway/store/tables/rate-limit-overrides.ts'
import { defineAdminRequest } from './admin-request.ts'
import { requireAccount, UserParams } from './local-account.ts'

const path = '/v1/users/:userId/override_ratelimit'
const amount = Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 }))

/** Empty where the configured limits hold. */
export const synapseGetRateLimit = defineAdminRequest({
  operation: 'synapseGetRateLimit',
  method: 'GET',
  path,
  params: UserParams,
  run: async (hs, { params: { userId } }) => {
    await requireAccount(hs, userId)
    const own = await findRateLimitOverride(hs.db, userId)
    return own === undefined ? {} : { messages_per_second: own.perSecond, burst_count: own.burst }
  },
})

export const synapseSetRateLimit = defineAdminRequest({
  operation: 'synapseSetRateLimit',
  method: 'POST',
  path,
  params: UserParams,
  body: Type.Object({ messages_per_second: amount, burst_count: amount }),
  run: async (hs, { params: { userId }, body }) => {
    await requireAccount(hs, userId)
    const { messages_per_second: perSecond = 0, burst_count: burst = 0 } = body
    await hs.db.commit({ entries: [], steps: [setRateLimitOverride(userId, { perSecond, burst })] })
    hs.sessions.forget(userId)
    return { messages_per_second: perSecond, burst_count: burst }
  },
})

export const synapseDeleteRateLimit = defineAdminRequest({
  operation: 'synapseDeleteRateLimit',
  method: 'DELETE',
  path,
  params: UserParams,
  run: async (hs, { params: { userId } }) => {
    await requireAccount(hs, userId)
    await hs.db.commit({ entries: [], steps: [deleteRateLimitOverride(userId)] })
    hs.sessions.forget(userId)
    return {}
  },
})
