// https://spec.matrix.org/v1.19/client-server-api/#profiles
import { Type, type Static } from 'typebox'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { forbidden, missingParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { defineEndpoint, type Session } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import { requireFieldName } from '../profile/field-name.ts'
import { readProfile } from '../profile/read-profile.ts'
import { setField } from '../profile/set-field.ts'
import { v3 } from './paths.ts'
import { userIdText } from './schemas.ts'

const FieldParams = Type.Object({ userId: userIdText, keyName: Type.String() })
const MSC4069 = 'org.matrix.msc4069.propagate'
const PropagateQuery = Type.Object({
  propagate: Type.Optional(Type.Boolean()),
  [MSC4069]: Type.Optional(Type.Boolean()),
})

/**
 * What everybody has, be it empty: `{}` says so, as Synapse does. mautrix bridges look before they set a name or a
 * picture, and set none where that look fails. https://github.com/matrix-org/matrix-spec-proposals/pull/4537
 */
const ALWAYS_THERE: ReadonlySet<string> = new Set(['displayname', 'avatar_url'])

function requireOwn({ userId }: Session, owner: UserId): void {
  if (userId !== owner) throw forbidden('You may only change your own profile')
}

/** Of a shadow-banned user no room is told. */
function propagates({ isShadowBanned }: Session, query: Static<typeof PropagateQuery>): boolean {
  if (isShadowBanned === true) return false
  return (query.propagate ?? (query as Record<string, unknown>)[MSC4069]) !== false
}

export const getUserProfile = defineEndpoint({
  operation: 'getUserProfile',
  method: 'GET',
  ...v3('/profile/:userId'),
  auth: 'none',
  rateLimit: 'read',
  params: Type.Object({ userId: userIdText }),
  run: async (hs, { params }): Promise<JsonObject> =>
    Object.fromEntries(await readProfile(hs, params.userId)),
})

export const getProfileField = defineEndpoint({
  operation: 'getProfileField',
  method: 'GET',
  ...v3('/profile/:userId/:keyName'),
  auth: 'none',
  rateLimit: 'read',
  params: FieldParams,
  run: async (hs, { params }): Promise<JsonObject> => {
    const { userId, keyName } = params
    const value = (await readProfile(hs, userId)).get(keyName)
    if (value !== undefined) return { [keyName]: value }
    if (ALWAYS_THERE.has(keyName)) return {}
    throw notFound(`${userId} has no such profile field`)
  },
})

export const setProfileField = defineEndpoint({
  operation: 'setProfileField',
  method: 'PUT',
  ...v3('/profile/:userId/:keyName'),
  auth: 'user',
  rateLimit: 'profile',
  params: FieldParams,
  query: PropagateQuery,
  body: jsonObject,
  run: async (hs, { session, params, query, body }) => {
    const { userId, keyName: field } = params
    requireOwn(session, userId)
    requireFieldName(field)
    const value = Object.hasOwn(body, field) ? body[field] : undefined
    if (value === undefined) throw missingParam(`The body must hold the key "${field}" with the new value`)
    await setField(hs, userId, { field, value, propagate: propagates(session, query) })
    return {}
  },
})

export const deleteProfileField = defineEndpoint({
  operation: 'deleteProfileField',
  method: 'DELETE',
  ...v3('/profile/:userId/:keyName'),
  auth: 'user',
  rateLimit: 'profile',
  params: FieldParams,
  query: PropagateQuery,
  run: async (hs, { session, params, query }) => {
    const { userId, keyName: field } = params
    requireOwn(session, userId)
    requireFieldName(field)
    await setField(hs, userId, { field, value: undefined, propagate: propagates(session, query) })
    return {}
  },
})
