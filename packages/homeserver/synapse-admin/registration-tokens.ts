// https://element-hq.github.io/synapse/latest/usage/administration/admin_api/registration_tokens.html
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import {
  findRegistrationToken,
  isUsable,
  listRegistrationTokens,
  updateRegistrationToken,
  type RegistrationToken,
} from '@causeway/store/tables/registration-tokens.ts'
import { createRegistrationToken, revokeRegistrationToken } from '../accounts/administer.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineAdminRequest } from './admin-request.ts'
import { oneOf } from './pages.ts'

const path = '/v1/registration_tokens'
const Params = Type.Object({ token: Type.String({ maxLength: 64 }) })
const count = Type.Optional(Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]))
const LENGTH = 16

function viewToken({ token, usesAllowed, usesCompleted, expiresTs }: RegistrationToken): JsonObject {
  return {
    token,
    uses_allowed: usesAllowed ?? null,
    // A use counts when somebody has registered; none is reserved before.
    pending: 0,
    completed: usesCompleted,
    expiry_time: expiresTs ?? null,
  }
}

async function requireToken({ db }: Pick<Homeserver, 'db'>, token: string): Promise<RegistrationToken> {
  const found = await findRegistrationToken(db, token)
  if (found === undefined) throw notFound(`No such registration token: ${token}`)
  return found
}

function requireFuture({ clock }: Homeserver, expiry: number | null | undefined): void {
  if (typeof expiry === 'number' && expiry < clock.now())
    throw invalidParam('expiry_time must not be in the past')
}

export const synapseListTokens = defineAdminRequest({
  operation: 'synapseListTokens',
  method: 'GET',
  path,
  // matrix-bot-sdk sends an empty one for none.
  query: Type.Object({ valid: Type.Optional(oneOf(['true', 'false', ''])) }),
  run: async (hs, { query: { valid } }) => {
    const now = hs.clock.now()
    const all = await listRegistrationTokens(hs.db)
    const wanted = all.filter((one) => !valid || isUsable(one, now) === (valid === 'true'))
    return { registration_tokens: wanted.map(viewToken) }
  },
})

export const synapseCreateToken = defineAdminRequest({
  operation: 'synapseCreateToken',
  method: 'POST',
  path: `${path}/new`,
  body: Type.Object({
    token: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    length: Type.Optional(Type.Integer({ minimum: 1, maximum: 64 })),
    uses_allowed: count,
    expiry_time: count,
  }),
  run: async (hs, { body }) => {
    requireFuture(hs, body.expiry_time)
    const { uses_allowed: uses, expiry_time: expiry } = body
    const made = await createRegistrationToken(hs, {
      token: body.token ?? hs.random.token(body.length ?? LENGTH),
      ...(uses == null ? {} : { usesAllowed: uses }),
      ...(expiry == null ? {} : { expiresTs: expiry }),
    })
    return viewToken(made)
  },
})

export const synapseGetToken = defineAdminRequest({
  operation: 'synapseGetToken',
  method: 'GET',
  path: `${path}/:token`,
  params: Params,
  run: async (hs, { params }) => viewToken(await requireToken(hs, params.token)),
})

/** What is not named stays; null lifts a limit, and no uses at all switch the token off. */
export const synapseUpdateToken = defineAdminRequest({
  operation: 'synapseUpdateToken',
  method: 'PUT',
  path: `${path}/:token`,
  params: Params,
  body: Type.Object({ uses_allowed: count, expiry_time: count }),
  run: async (hs, { params, body }) => {
    requireFuture(hs, body.expiry_time)
    const before = await requireToken(hs, params.token)
    const changed = {
      ...before,
      ...(body.uses_allowed === undefined ? {} : { usesAllowed: body.uses_allowed ?? undefined }),
      ...(body.expiry_time === undefined ? {} : { expiresTs: body.expiry_time ?? undefined }),
    }
    const result = await hs.db.commit({ entries: [], steps: [updateRegistrationToken(changed)] })
    if (!result.ok) throw notFound(`No such registration token: ${params.token}`)
    return viewToken(await requireToken(hs, params.token))
  },
})

export const synapseDeleteToken = defineAdminRequest({
  operation: 'synapseDeleteToken',
  method: 'DELETE',
  path: `${path}/:token`,
  params: Params,
  run: async (hs, { params }) => {
    await revokeRegistrationToken(hs, params.token)
    return {}
  },
})
