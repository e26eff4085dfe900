// https://github.com/matrix-org/matrix-spec-proposals/pull/3814
import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import { forbidden, invalidParam, MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { Write } from '@causeway/store/db/database.ts'
import { requireNoKeyNamed } from '@causeway/store/tables/cross-signing.ts'
import {
  findDehydratedDevice,
  insertDehydratedDevice,
  removeDehydratedDevice,
} from '@causeway/store/tables/dehydrated-devices.ts'
import { deleteOfDevice, setDeviceKeys } from '@causeway/store/tables/device-keys.ts'
import { deleteDevice, findDevice, insertNewDevice } from '@causeway/store/tables/devices.ts'
import { insertOneTimeKey, setFallbackKey } from '@causeway/store/tables/one-time-keys.ts'
import { listToDevice } from '@causeway/store/tables/to-device.ts'
import type { Homeserver } from '../homeserver.ts'
import { explainDeviceName } from './device-names.ts'
import { deviceListChange } from './device-list-entry.ts'
import type { PublishedKeys } from './publish-keys.ts'
import { deviceRemoval, forgetDevices } from './remove-devices.ts'

/** A device with all its keys, as a client leaves it behind. */
export interface NewDehydratedDevice extends PublishedKeys {
  readonly deviceKeys: string
  /** JSON that the client encrypted. */
  readonly data: string
  /** Empty: none. */
  readonly displayName: string
}

type Deps = Pick<Homeserver, 'db' | 'log' | 'clock' | 'keyCounts'>

/** How often it is tried when the user's other clients do the same at once. */
const ATTEMPTS = 3

/**
 * Makes a device that nobody is logged in on, in place of the one that the user may have had: device, keys and data come,
 * and the old one's go with its messages, in one write. Throws `M_INVALID_PARAM` when a login has a device of that id, and
 * `M_FORBIDDEN` when one of the user's cross-signing keys has its name.
 */
export async function putDehydratedDevice(hs: Deps, device: NewDehydratedDevice): Promise<void> {
  const { userId, deviceId } = device
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const known = await findDevice(hs.db, userId, deviceId)
    if (known !== undefined && !known.isDehydrated) {
      throw invalidParam(
        'You are logged in on a device of that id; give the dehydrated device one of its own',
      )
    }
    const old = await findDehydratedDevice(hs.db, userId)
    const result = await hs.log.append(replacement(hs, device, old?.deviceId))
    forgetDevices(hs, userId, [deviceId, ...(old === undefined ? [] : [old.deviceId as DeviceId])])
    if (result.ok) return
    await explainDeviceName(hs, userId, deviceId)
  }
  throw new MatrixError('M_UNKNOWN', 'Several clients change your dehydrated device at once; try again')
}

function replacement({ clock }: Deps, device: NewDehydratedDevice, old: string | undefined): Write {
  const { userId, deviceId, displayName, data } = device
  const now = clock.now()
  const deleted = old === undefined || old === deviceId ? [] : [old]
  const change = deviceListChange(userId, { deleted, changed: [deviceId] })
  const removal =
    old === undefined
      ? []
      : [removeDehydratedDevice(userId, old), ...deleteOfDevice(userId, old), deleteDevice(userId, old)]
  return {
    entries: change.entries,
    steps: [
      requireNoKeyNamed(userId, deviceId),
      ...removal,
      ...change.steps,
      insertNewDevice({ userId, deviceId, displayName, createdTs: now, lastSeenTs: 0, lastSeenIp: '' }),
      insertDehydratedDevice(userId, { deviceId, data }),
      setDeviceKeys(userId, deviceId, device.deviceKeys),
      ...device.oneTimeKeys.map((key) => insertOneTimeKey(device, key, now)),
      ...device.fallbackKeys.map((key) => setFallbackKey(device, key)),
    ],
  }
}

/** Ends the user's dehydrated device with its keys and messages. @returns its id; undefined: there was none */
export async function removeDehydrated(hs: Deps, userId: UserId): Promise<DeviceId | undefined> {
  const found = await findDehydratedDevice(hs.db, userId)
  if (found === undefined) return undefined
  const deviceId = found.deviceId as DeviceId
  const { entries, steps } = deviceRemoval(userId, [deviceId])
  const result = await hs.log.append({
    entries,
    steps: [removeDehydratedDevice(userId, deviceId), ...steps, deleteDevice(userId, deviceId)],
  })
  forgetDevices(hs, userId, [deviceId])
  return result.ok ? deviceId : undefined
}

/** Messages for a dehydrated device, as JSON texts, and from where to go on. */
export interface DehydratedMessages {
  readonly messages: readonly string[]
  /** After the last of them. */
  readonly position: number
  /** Whether more are waiting behind them. */
  readonly more: boolean
}

/**
 * What was sent to the user's dehydrated device after a position. Reading takes nothing away: what one client did not
 * finish, another one begins anew. Throws `M_FORBIDDEN` when that is not the user's dehydrated device.
 */
export async function readDehydratedMessages(
  { db, log }: Pick<Homeserver, 'db' | 'log'>,
  { userId, deviceId }: { readonly userId: UserId; readonly deviceId: string },
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<DehydratedMessages> {
  const upTo = log.ring.head()
  const dehydrated = await findDehydratedDevice(db, userId)
  if (dehydrated?.deviceId !== deviceId) throw forbidden('This is not your dehydrated device')
  const found = await listToDevice(db, userId, deviceId, { after, upTo, limit: limit + 1 })
  const page = found.slice(0, limit)
  return {
    messages: page.map(({ json }) => json),
    position: page.at(-1)?.position ?? after,
    more: found.length > page.length,
  }
}
