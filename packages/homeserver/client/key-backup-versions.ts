// https://spec.matrix.org/v1.19/client-server-api/#server-side-key-backups
import { Type } from 'typebox'
import { invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { parseJson } from '@causeway/matrix/json/parse.ts'
import { setBackupAuthData, type KeyBackupRow } from '@causeway/store/tables/key-backup.ts'
import { createBackup, deleteBackup, readBackup, readCurrentBackup } from '../devices/key-backup-versions.ts'
import { defineEndpoint, type AnyEndpoint } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import { v3 } from './paths.ts'

const common = { auth: 'user', rateLimit: 'keys' } as const
const Params = Type.Object({ version: Type.String() })
const algorithm = Type.String({ minLength: 1, maxLength: 255 })
const VERSION = /^[1-9]\d{0,14}$/

/** The number of a version. Throws `M_NOT_FOUND` for text that was never one. */
export function versionOf(text: string): number {
  if (!VERSION.test(text)) throw notFound('There is no such version of your key backup')
  return Number(text)
}

function describe(backup: KeyBackupRow): JsonObject {
  return {
    algorithm: backup.algorithm,
    auth_data: parseJson(backup.auth_data),
    count: backup.key_count,
    etag: String(backup.etag),
    version: String(backup.version),
  }
}

const createVersion = defineEndpoint({
  ...common,
  operation: 'postRoomKeysVersion',
  method: 'POST',
  ...v3('/room_keys/version'),
  body: Type.Object({ algorithm, auth_data: jsonObject }),
  run: async (hs, { session, body }) => ({
    version: String(await createBackup(hs.db, session.userId, body.algorithm, body.auth_data)),
  }),
})

const getCurrentVersion = defineEndpoint({
  ...common,
  operation: 'getRoomKeysVersionCurrent',
  method: 'GET',
  ...v3('/room_keys/version'),
  run: async (hs, { session }) => describe(await readCurrentBackup(hs.db, session.userId)),
})

const getVersion = defineEndpoint({
  ...common,
  operation: 'getRoomKeysVersion',
  method: 'GET',
  ...v3('/room_keys/version/:version'),
  params: Params,
  run: async (hs, { session, params }) =>
    describe(await readBackup(hs.db, { userId: session.userId, version: versionOf(params.version) })),
})

const putVersion = defineEndpoint({
  ...common,
  operation: 'putRoomKeysVersion',
  method: 'PUT',
  ...v3('/room_keys/version/:version'),
  params: Params,
  body: Type.Object({ algorithm, auth_data: jsonObject, version: Type.Optional(Type.String()) }),
  run: async (hs, { session, params, body }) => {
    const id = { userId: session.userId, version: versionOf(params.version) }
    const backup = await readBackup(hs.db, id)
    if (body.version !== undefined && body.version !== params.version)
      throw invalidParam('The version in the body is not the one in the path')
    if (body.algorithm !== backup.algorithm)
      throw invalidParam(`The algorithm of this backup is ${backup.algorithm} and cannot be changed`)
    const step = setBackupAuthData(id, JSON.stringify(body.auth_data))
    const result = await hs.db.commit({ entries: [], steps: [step] })
    if (!result.ok) throw notFound('This version of your key backup was deleted just now')
    return {}
  },
})

const deleteVersion = defineEndpoint({
  ...common,
  operation: 'deleteRoomKeysVersion',
  method: 'DELETE',
  ...v3('/room_keys/version/:version'),
  params: Params,
  run: async (hs, { session, params }) => {
    await deleteBackup(hs.db, { userId: session.userId, version: versionOf(params.version) })
    return {}
  },
})

export const keyBackupVersionRoutes: readonly AnyEndpoint[] = [
  createVersion,
  getCurrentVersion,
  getVersion,
  putVersion,
  deleteVersion,
]
