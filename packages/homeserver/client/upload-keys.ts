// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysupload
import { Type, type Static } from 'typebox'
import { badJson } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { isKeyId, splitKeyId } from '@causeway/matrix/ids/key-id.ts'
import type { OneTimeKeyRow } from '@causeway/store/tables/one-time-keys.ts'
import { publishKeys } from '../devices/publish-keys.ts'
import { defineEndpoint, type Session } from '../http/endpoint.ts'
import { keyText, mapOf, MAX_KEYS_BODY_BYTES, requireDevice, signatures } from './key-schemas.ts'
import { v3 } from './paths.ts'

const text = Type.String({ maxLength: 1_000 })

const DeviceKeys = Type.Object({
  user_id: Type.String(),
  device_id: Type.String(),
  algorithms: Type.Array(text, { maxItems: 50 }),
  keys: mapOf(text, 50),
  signatures,
})

/** Plain keys are text, signed ones an object. */
const OneTimeKey = Type.Union([text, Type.Object({ key: text, signatures: Type.Optional(signatures) })])

/** Clients upload some fifty at a time, and have at most a hundred or so. */
const MAX_KEYS_PER_UPLOAD = 1_000
const MAX_FALLBACK_KEYS = 10

const MAX_DEVICE_KEYS_LENGTH = 20_000
const MAX_ONE_TIME_KEY_LENGTH = 4_000

function deviceKeysText(session: Session, keys: Static<typeof DeviceKeys>): string {
  if (keys.user_id !== session.userId || keys.device_id !== session.deviceId) {
    throw badJson(
      'device_keys.user_id and device_keys.device_id must be those of the device that uploads them',
    )
  }
  return keyText('device_keys', keys, MAX_DEVICE_KEYS_LENGTH)
}

function keyRows(field: string, keys: Record<string, Static<typeof OneTimeKey>> = {}): OneTimeKeyRow[] {
  return Object.entries(keys).map(([id, key]) => {
    if (!isKeyId(id)) throw badJson(`"${id.slice(0, 255)}" in ${field} is not of the form algorithm:key_id`)
    const { algorithm, name } = splitKeyId(id)
    const json =
      typeof key === 'string' ? JSON.stringify(key) : keyText(`${field}.${id}`, key, MAX_ONE_TIME_KEY_LENGTH)
    return { algorithm, key_id: name, json }
  })
}

export const uploadKeys = defineEndpoint({
  operation: 'uploadKeys',
  method: 'POST',
  ...v3('/keys/upload'),
  auth: 'user',
  rateLimit: 'keys',
  body: Type.Object({
    device_keys: Type.Optional(DeviceKeys),
    one_time_keys: Type.Optional(mapOf(OneTimeKey, MAX_KEYS_PER_UPLOAD)),
    fallback_keys: Type.Optional(mapOf(OneTimeKey, MAX_FALLBACK_KEYS)),
  }),
  maxBodyBytes: MAX_KEYS_BODY_BYTES,
  run: async (hs, { session, body }): Promise<JsonObject> => {
    const deviceId = requireDevice(session)
    const { userId } = session
    const fallbackKeys = keyRows('fallback_keys', body.fallback_keys)
    if (new Set(fallbackKeys.map((key) => key.algorithm)).size < fallbackKeys.length) {
      throw badJson('fallback_keys may hold one key per algorithm')
    }
    await publishKeys(hs, {
      userId,
      deviceId,
      deviceKeys: body.device_keys === undefined ? undefined : deviceKeysText(session, body.device_keys),
      oneTimeKeys: keyRows('one_time_keys', body.one_time_keys),
      fallbackKeys,
    })
    return { one_time_key_counts: (await hs.keyCounts.of(userId, deviceId)).counts }
  },
})
