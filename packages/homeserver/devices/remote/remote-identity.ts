import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { canonicalJsonWithout } from '@causeway/matrix/json/canonical.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import type { CrossSigningRow, KeyPurpose } from '@causeway/store/tables/cross-signing.ts'
import type { DeviceKeysRow } from '@causeway/store/tables/device-keys.ts'
import { UNKNOWN_STREAM } from '@causeway/store/tables/remote-devices.ts'
import { FederationError } from '../../federation/federation-client.ts'
import { toCrossSigningRow, type UploadedKey } from '../cross-signing.ts'

/** What another server says of the devices and the identity of one of its users. */
export interface RemoteIdentity {
  readonly userId: UserId
  /** The last of the server's updates that is in it; −1 where it does not say. */
  readonly streamId: number
  readonly devices: readonly DeviceKeysRow[]
  readonly keys: readonly CrossSigningRow[]
}

/** Nobody has so many; a user who does is shown with none, as other servers do. */
const MAX_DEVICES = 1_000
const MAX_DEVICE_KEYS_LENGTH = 20_000
const MAX_ID_LENGTH = 255
const MAX_NAME_LENGTH = 100

/** A device as another server tells it; undefined for what is no device of that name and user. */
export function parseRemoteDevice(
  userId: UserId,
  deviceId: string,
  keys: unknown,
  displayName: unknown,
): DeviceKeysRow | undefined {
  if (!isJsonObject(keys) || keys['user_id'] !== userId || keys['device_id'] !== deviceId) return undefined
  if (deviceId === '' || deviceId.length > MAX_ID_LENGTH) return undefined
  if (!isJsonObject(keys['keys']) || !Array.isArray(keys['algorithms'])) return undefined
  const json = textOf(keys)
  if (json === undefined || json.length > MAX_DEVICE_KEYS_LENGTH) return undefined
  const name = typeof displayName === 'string' ? displayName.slice(0, MAX_NAME_LENGTH).toWellFormed() : ''
  return { user_id: userId, device_id: deviceId, json, display_name: name }
}

/** Undefined for numbers that canonical JSON cannot hold. */
function textOf(keys: JsonObject): string | undefined {
  try {
    return canonicalJsonWithout(keys, ['unsigned'])
  } catch {
    return undefined
  }
}

/** A cross-signing key as another server tells it; undefined for what is none of that user and purpose. */
export function parseRemoteKey(
  userId: UserId,
  purpose: KeyPurpose,
  key: unknown,
): CrossSigningRow | undefined {
  if (!isCrossSigningKey(key)) return undefined
  try {
    return toCrossSigningRow(userId, purpose, key)
  } catch (error) {
    if (error instanceof MatrixError || error instanceof RangeError || error instanceof TypeError)
      return undefined
    throw error
  }
}

function isCrossSigningKey(key: unknown): key is UploadedKey {
  if (!isJsonObject(key)) return false
  const { usage, keys } = key
  return (
    Array.isArray(usage) &&
    isJsonObject(keys) &&
    Object.values(keys).every((value) => typeof value === 'string')
  )
}

function keysOf(userId: UserId, master: unknown, selfSigning: unknown): CrossSigningRow[] {
  return [
    parseRemoteKey(userId, 'master', master),
    parseRemoteKey(userId, 'self_signing', selfSigning),
  ].filter((row) => row !== undefined)
}

/** The answer to `GET /user/devices/{userId}`. @throws FederationError when it is none */
export function parseUserDevices(server: ServerName, userId: UserId, answer: JsonObject): RemoteIdentity {
  const { stream_id: streamId, devices, master_key: master, self_signing_key: selfSigning } = answer
  const isSound = answer['user_id'] === userId && Number.isSafeInteger(streamId) && Array.isArray(devices)
  if (!isSound) {
    throw new FederationError(server, { kind: 'malformed' }, `${server} answered with what is no device list`)
  }
  const found = devices.length > MAX_DEVICES ? [] : devices.filter(isJsonObject)
  return {
    userId,
    streamId: Number(streamId),
    devices: byId(
      found.map((device) => {
        const { device_id: deviceId, keys, device_display_name: name } = device
        return typeof deviceId === 'string' ? parseRemoteDevice(userId, deviceId, keys, name) : undefined
      }),
    ),
    keys: keysOf(userId, master, selfSigning),
  }
}

/** Of a device that is listed twice, the last. */
function byId(rows: readonly (DeviceKeysRow | undefined)[]): DeviceKeysRow[] {
  const known = rows.filter((row) => row !== undefined)
  return [...new Map(known.map((row) => [row.device_id, row])).values()]
}

/** The part about one user of an answer to `POST /user/keys/query`; undefined when there is none. */
export function parseQueriedKeys(userId: UserId, answer: JsonObject): RemoteIdentity | undefined {
  const devices = memberOf(answer['device_keys'], userId)
  if (!isJsonObject(devices)) return undefined
  const entries = Object.entries(devices)
  return {
    userId,
    streamId: UNKNOWN_STREAM,
    devices: (entries.length > MAX_DEVICES ? [] : entries)
      .map(([deviceId, keys]) => parseRemoteDevice(userId, deviceId, keys, displayNameIn(keys)))
      .filter((row) => row !== undefined),
    keys: keysOf(
      userId,
      memberOf(answer['master_keys'], userId),
      memberOf(answer['self_signing_keys'], userId),
    ),
  }
}

function memberOf(value: unknown, key: string): unknown {
  return isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined
}

function displayNameIn(keys: unknown): unknown {
  return memberOf(memberOf(keys, 'unsigned'), 'device_display_name')
}
