// https://element-hq.github.io/synapse/latest/admin_api/user_admin_api.html#override-ratelimiting-for-users
import { Type } from 'typebox'
import type { Homeserver } from '../homeserver.ts'
import { changeLimit, resetLimit } from '../limits/adjusted-limits.ts'
import { ALL } from '../limits/actions.ts'
import { defineAdminRequest } from './admin-request.ts'
import { requireAccount, UserParams } from './local-account.ts'

const path = '/v1/users/:userId/override_ratelimit'
const amount = Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 }))

const MESSAGE = 'message'

const keyOf = (userId: string, action: string) => ({ kind: 'user', principal: userId, action })

/** There, the limit is one of messages, or of nothing at all; others that were set here on the command line stay. */
async function forget(hs: Homeserver, userId: string): Promise<void> {
  await resetLimit(hs, keyOf(userId, MESSAGE))
  await resetLimit(hs, keyOf(userId, ALL))
}

/** Empty where the configured limits hold. */
export const synapseGetRateLimit = defineAdminRequest({
  operation: 'synapseGetRateLimit',
  method: 'GET',
  path,
  params: UserParams,
  run: async (hs, { params: { userId } }) => {
    await requireAccount(hs, userId)
    const { all, message } = hs.limiter.ownLimits('user', userId)
    const own = all?.perSecond === 0 ? all : message
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
    await forget(hs, userId)
    await changeLimit(hs, keyOf(userId, perSecond === 0 ? ALL : MESSAGE), { perSecond, burst })
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
    await forget(hs, userId)
    return {}
  },
})
