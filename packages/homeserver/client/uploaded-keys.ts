import { Type, type Static } from 'typebox'
import { badJson } from '@causeway/matrix/errors/matrix-error.ts'
import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import { isKeyId, splitKeyId } from '@causeway/matrix/ids/key-id.ts'
import type { OneTimeKeyRow } from '@causeway/store/tables/one-time-keys.ts'
import { keyText, mapOf, signatures } from './key-schemas.ts'

const text = Type.String({ maxLength: 1_000 })

export const DeviceKeys = Type.Object({
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

/** What an upload may carry beside the keys of the device itself. */
export const OneTimeKeys = Type.Object({
  one_time_keys: Type.Optional(mapOf(OneTimeKey, MAX_KEYS_PER_UPLOAD)),
  fallback_keys: Type.Optional(mapOf(OneTimeKey, MAX_FALLBACK_KEYS)),
})

/** Identity keys as they are stored. Throws `M_BAD_JSON` when they are another device's. */
export function deviceKeysText(
  owner: { readonly userId: UserId; readonly deviceId: DeviceId },
  keys: Static<typeof DeviceKeys>,
): string {
  if (keys.user_id !== owner.userId || keys.device_id !== owner.deviceId) {
    throw badJson('device_keys.user_id and device_keys.device_id must be those of the device they are for')
  }
  return keyText('device_keys', keys, MAX_DEVICE_KEYS_LENGTH)
}

/** One-time and fallback keys as they are stored. Throws `M_BAD_JSON`. */
export function readOneTimeKeys(keys: Static<typeof OneTimeKeys>): {
  readonly oneTimeKeys: readonly OneTimeKeyRow[]
  readonly fallbackKeys: readonly OneTimeKeyRow[]
} {
  const fallbackKeys = keyRows('fallback_keys', keys.fallback_keys)
  if (new Set(fallbackKeys.map((key) => key.algorithm)).size < fallbackKeys.length) {
    throw badJson('fallback_keys may hold one key per algorithm')
  }
  return { oneTimeKeys: keyRows('one_time_keys', keys.one_time_keys), fallbackKeys }
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
