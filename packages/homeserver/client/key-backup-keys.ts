// https://spec.matrix.org/v1.19/client-server-api/#server-side-key-backups
import { Type, type Static } from 'typebox'
import { badJson, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import {
  findBackedUpSession,
  type BackedUpSession,
  type BackupId,
} from '@causeway/store/tables/key-backup.ts'
import { deleteKey, deleteKeys, putKeys, toKeyData } from '../devices/key-backup.ts'
import { readBackup } from '../devices/key-backup-versions.ts'
import { defineEndpoint, type AnyEndpoint, type Session } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import { versionOf } from './key-backup-versions.ts'
import { mapOf } from './key-schemas.ts'
import { v3 } from './paths.ts'
import { sendBackup } from './send-backup.ts'

const index = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const name = Type.String({ minLength: 1, maxLength: 255 })

const KeyData = Type.Object({
  first_message_index: index,
  forwarded_count: index,
  is_verified: Type.Boolean(),
  session_data: jsonObject,
})
/** Clients send a hundred or so at a time. */
const MAX_SESSIONS = 10_000
const MAX_BODY_BYTES = 8 * 1024 * 1024
const MAX_SESSION_DATA_LENGTH = 16_384

const RoomBody = Type.Object({ sessions: mapOf(KeyData, MAX_SESSIONS) })
const AllBody = Type.Object({ rooms: mapOf(RoomBody, MAX_SESSIONS) })

const common = {
  auth: 'user',
  rateLimit: 'keys',
  query: Type.Object({ version: Type.String() }),
  maxBodyBytes: MAX_BODY_BYTES,
} as const
const allPath = v3('/room_keys/keys')
const roomPath = { ...v3('/room_keys/keys/:roomId'), params: Type.Object({ roomId: name }) }
const sessionPath = {
  ...v3('/room_keys/keys/:roomId/:sessionId'),
  params: Type.Object({ roomId: name, sessionId: name }),
}

function backupOf(session: Session, query: { readonly version: string }): BackupId {
  return { userId: session.userId, version: versionOf(query.version) }
}

function toSession(roomId: string, sessionId: string, key: Static<typeof KeyData>): BackedUpSession {
  const data = JSON.stringify(key.session_data)
  if (data.length > MAX_SESSION_DATA_LENGTH)
    throw badJson(`session_data may have at most ${MAX_SESSION_DATA_LENGTH} characters`)
  if (roomId.length > 255 || sessionId.length > 255 || roomId === '' || sessionId === '')
    throw badJson('Room and session ids have 1 to 255 characters')
  return {
    room_id: roomId,
    session_id: sessionId,
    first_message_index: key.first_message_index,
    forwarded_count: key.forwarded_count,
    is_verified: key.is_verified ? 1 : 0,
    session_data: data,
  }
}

function toSessions(roomId: string, body: Static<typeof RoomBody>): BackedUpSession[] {
  return Object.entries(body.sessions).map(([sessionId, key]) => toSession(roomId, sessionId, key))
}

const putAll = defineEndpoint({
  ...common,
  ...allPath,
  operation: 'putRoomKeys',
  method: 'PUT',
  body: AllBody,
  run: (hs, { session, query, body }) => {
    const sessions = Object.entries(body.rooms).flatMap(([roomId, room]) => toSessions(roomId, room))
    if (sessions.length > MAX_SESSIONS) throw badJson(`Send at most ${MAX_SESSIONS} keys at a time`)
    return putKeys(hs.db, backupOf(session, query), sessions)
  },
})

const putRoom = defineEndpoint({
  ...common,
  ...roomPath,
  operation: 'putRoomKeysByRoomId',
  method: 'PUT',
  body: RoomBody,
  run: (hs, { session, params, query, body }) =>
    putKeys(hs.db, backupOf(session, query), toSessions(params.roomId, body)),
})

const putSession = defineEndpoint({
  ...common,
  ...sessionPath,
  operation: 'putRoomKeyBySessionId',
  method: 'PUT',
  body: KeyData,
  run: (hs, { session, params, query, body }) =>
    putKeys(hs.db, backupOf(session, query), [toSession(params.roomId, params.sessionId, body)]),
})

const getAll = defineEndpoint({
  ...common,
  ...allPath,
  operation: 'getRoomKeys',
  method: 'GET',
  run: async (hs, { session, query }) => {
    const id = backupOf(session, query)
    await readBackup(hs.db, id)
    return sendBackup(hs.db, id)
  },
})

const getRoom = defineEndpoint({
  ...common,
  ...roomPath,
  operation: 'getRoomKeysByRoomId',
  method: 'GET',
  run: async (hs, { session, params, query }) => {
    const id = backupOf(session, query)
    await readBackup(hs.db, id)
    return sendBackup(hs.db, id, params.roomId)
  },
})

const getSession = defineEndpoint({
  ...common,
  ...sessionPath,
  operation: 'getRoomKeyBySessionId',
  method: 'GET',
  run: async (hs, { session, params, query }) => {
    const id = backupOf(session, query)
    await readBackup(hs.db, id)
    const key = await findBackedUpSession(hs.db, id, params.roomId, params.sessionId)
    if (key === undefined) throw notFound('There is no key of this session in the backup')
    return toKeyData(key)
  },
})

const deleteAll = defineEndpoint({
  ...common,
  ...allPath,
  operation: 'deleteRoomKeys',
  method: 'DELETE',
  run: (hs, { session, query }) => deleteKeys(hs.db, backupOf(session, query)),
})

const deleteRoom = defineEndpoint({
  ...common,
  ...roomPath,
  operation: 'deleteRoomKeysByRoomId',
  method: 'DELETE',
  run: (hs, { session, params, query }) => deleteKeys(hs.db, backupOf(session, query), params.roomId),
})

const deleteSession = defineEndpoint({
  ...common,
  ...sessionPath,
  operation: 'deleteRoomKeyBySessionId',
  method: 'DELETE',
  run: (hs, { session, params, query }) =>
    deleteKey(hs.db, backupOf(session, query), params.roomId, params.sessionId),
})

export const keyBackupKeyRoutes: readonly AnyEndpoint[] = [
  putAll,
  putRoom,
  putSession,
  getAll,
  getRoom,
  getSession,
  deleteAll,
  deleteRoom,
  deleteSession,
]
