// https://spec.matrix.org/v1.19/client-server-api/#client-config
import { Type } from 'typebox'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { MatrixError, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, type Session } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import { readAccountData, removeAccountData, writeAccountData } from '../user-data/account-data.ts'
import { rulesetOf } from '../user-data/push-rules.ts'
import { requireSelf } from './own-user.ts'
import { v3 } from './paths.ts'
import { roomIdText, userIdText } from './schemas.ts'

const typeText = Type.String({ minLength: 1, maxLength: 255 })
const globalParams = Type.Object({ userId: userIdText, type: typeText })
const roomParams = Type.Object({ userId: userIdText, roomId: roomIdText, type: typeText })

/** Where clients remove pieces. https://github.com/matrix-org/matrix-spec-proposals/pull/3391 */
const REMOVAL = '/_matrix/client/unstable/org.matrix.msc3391/user/:userId'

/** What the server manages itself, each with its own endpoints. */
const MANAGED: ReadonlySet<string> = new Set(['m.fully_read', 'm.push_rules'])

async function read(
  hs: Homeserver,
  { userId }: Session,
  roomId: RoomId | undefined,
  type: string,
): Promise<JsonObject> {
  if (type === 'm.push_rules' && roomId === undefined) {
    return { global: rulesetOf(await hs.pushRules.of(userId)) } as unknown as JsonObject
  }
  const content = await readAccountData(hs, { userId, roomId, type })
  if (content === undefined) throw notFound(`You have not set ${type}`)
  return content
}

async function write(
  hs: Homeserver,
  { userId }: Session,
  roomId: RoomId | undefined,
  { type, content }: { type: string; content: JsonObject },
): Promise<JsonObject> {
  requireUnmanaged(type)
  await writeAccountData(hs, { userId, roomId, type }, content)
  return {}
}

function requireUnmanaged(type: string): void {
  if (!MANAGED.has(type)) return
  throw new MatrixError('M_BAD_JSON', `${type} is set by its own endpoint`, { status: 405 })
}

async function remove(
  hs: Homeserver,
  { userId }: Session,
  roomId: RoomId | undefined,
  type: string,
): Promise<JsonObject> {
  requireUnmanaged(type)
  await removeAccountData(hs, { userId, roomId, type })
  return {}
}

export const getAccountData = defineEndpoint({
  operation: 'getAccountData',
  method: 'GET',
  ...v3('/user/:userId/account_data/:type'),
  auth: 'user',
  rateLimit: 'read',
  params: globalParams,
  run: async (hs, { session, params }) => {
    requireSelf(session, params.userId)
    return read(hs, session, undefined, params.type)
  },
})

export const setAccountData = defineEndpoint({
  operation: 'setAccountData',
  method: 'PUT',
  ...v3('/user/:userId/account_data/:type'),
  auth: 'user',
  rateLimit: 'read',
  params: globalParams,
  body: jsonObject,
  run: async (hs, { session, params, body }) => {
    requireSelf(session, params.userId)
    return write(hs, session, undefined, { type: params.type, content: body })
  },
})

export const getAccountDataPerRoom = defineEndpoint({
  operation: 'getAccountDataPerRoom',
  method: 'GET',
  ...v3('/user/:userId/rooms/:roomId/account_data/:type'),
  auth: 'user',
  rateLimit: 'read',
  params: roomParams,
  run: async (hs, { session, params }) => {
    requireSelf(session, params.userId)
    return read(hs, session, params.roomId, params.type)
  },
})

export const setAccountDataPerRoom = defineEndpoint({
  operation: 'setAccountDataPerRoom',
  method: 'PUT',
  ...v3('/user/:userId/rooms/:roomId/account_data/:type'),
  auth: 'user',
  rateLimit: 'read',
  params: roomParams,
  body: jsonObject,
  run: async (hs, { session, params, body }) => {
    requireSelf(session, params.userId)
    return write(hs, session, params.roomId, { type: params.type, content: body })
  },
})

export const deleteAccountData = defineEndpoint({
  operation: 'deleteAccountData',
  method: 'DELETE',
  path: `${REMOVAL}/account_data/:type`,
  auth: 'user',
  rateLimit: 'read',
  params: globalParams,
  run: async (hs, { session, params }) => {
    requireSelf(session, params.userId)
    return remove(hs, session, undefined, params.type)
  },
})

export const deleteAccountDataPerRoom = defineEndpoint({
  operation: 'deleteAccountDataPerRoom',
  method: 'DELETE',
  path: `${REMOVAL}/rooms/:roomId/account_data/:type`,
  auth: 'user',
  rateLimit: 'read',
  params: roomParams,
  run: async (hs, { session, params }) => {
    requireSelf(session, params.userId)
    return remove(hs, session, params.roomId, params.type)
  },
})
