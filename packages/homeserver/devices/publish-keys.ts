import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import { invalidParam, MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { deleteSignaturesOn } from '@causeway/store/tables/cross-signing.ts'
import { findDeviceKeys, setDeviceKeys } from '@causeway/store/tables/device-keys.ts'
import {
  findOneTimeKeys,
  insertOneTimeKey,
  listFallbackKeys,
  setFallbackKey,
  type OneTimeKeyRow,
} from '@causeway/store/tables/one-time-keys.ts'
import type { Homeserver } from '../homeserver.ts'
import { deviceListChange, type LogCompanions } from './device-list-entry.ts'

export interface PublishedKeys {
  readonly userId: UserId
  readonly deviceId: DeviceId
  /** Canonical JSON; undefined leaves what is there. */
  readonly deviceKeys: string | undefined
  readonly oneTimeKeys: readonly OneTimeKeyRow[]
  readonly fallbackKeys: readonly OneTimeKeyRow[]
}

type Deps = Pick<Homeserver, 'db' | 'log' | 'clock' | 'keyCounts'>

/** Unclaimed one-time keys, and fallback keys, that one device may have. */
const MAX_ONE_TIME_KEYS = 1_000
const MAX_FALLBACK_KEYS = 10
/** How often an upload is tried when another one of the same device comes in between. */
const ATTEMPTS = 3

/**
 * Stores what a device publishes, in one write. The same again changes nothing and tells nobody. Throws
 * `M_INVALID_PARAM` for another one-time key under the id of one that is still there, and
 * `M_RESOURCE_LIMIT_EXCEEDED` for more keys than a device may have.
 */
export async function publishKeys(hs: Deps, keys: PublishedKeys): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const device = await deviceChange(hs, keys)
    const oneTime = await newOneTimeKeys(hs, keys)
    await checkLimits(hs, keys, oneTime.length)
    const steps = [
      ...device.steps,
      ...oneTime.map((key) => insertOneTimeKey(keys, key, hs.clock.now())),
      ...keys.fallbackKeys.map((key) => setFallbackKey(keys, key)),
    ]
    if (steps.length === 0) return
    const result = await hs.log.append({ entries: device.entries, steps })
    hs.keyCounts.forget(keys.userId, keys.deviceId)
    if (result.ok) return
  }
  throw new MatrixError('M_UNKNOWN', 'This device uploads keys twice at once; try again')
}

async function deviceChange(
  hs: Deps,
  { userId, deviceId, deviceKeys }: PublishedKeys,
): Promise<LogCompanions> {
  if (deviceKeys === undefined || deviceKeys === (await findDeviceKeys(hs.db, userId, deviceId))) {
    return { entries: [], steps: [] }
  }
  const change = deviceListChange(userId, { changed: [deviceId] })
  const steps: Step[] = [
    ...change.steps,
    setDeviceKeys(userId, deviceId, deviceKeys),
    // They were on the keys before.
    deleteSignaturesOn(userId, deviceId),
  ]
  return { entries: change.entries, steps }
}

/** Those that are not stored yet. */
async function newOneTimeKeys(
  hs: Deps,
  { userId, deviceId, oneTimeKeys }: PublishedKeys,
): Promise<OneTimeKeyRow[]> {
  if (oneTimeKeys.length === 0) return []
  const names = oneTimeKeys.map((key) => key.key_id)
  const stored = await findOneTimeKeys(hs.db, userId, deviceId, names)
  const texts = new Map(stored.map((key) => [`${key.algorithm}:${key.key_id}`, key.json]))
  return oneTimeKeys.filter((key) => {
    const id = `${key.algorithm}:${key.key_id}`
    const known = texts.get(id)
    if (known === undefined) return true
    if (known !== key.json)
      throw invalidParam(`There is another one-time key ${id} already; choose another id`)
    return false
  })
}

async function checkLimits(hs: Deps, keys: PublishedKeys, added: number): Promise<void> {
  const { userId, deviceId, fallbackKeys } = keys
  if (added > 0) {
    const { counts } = await hs.keyCounts.of(userId, deviceId)
    const held = Object.values(counts).reduce((sum, count) => sum + count, 0)
    if (held + added > MAX_ONE_TIME_KEYS) throw tooMany(MAX_ONE_TIME_KEYS, 'one-time keys')
  }
  if (fallbackKeys.length > 0) {
    const held = await listFallbackKeys(hs.db, userId, deviceId)
    const algorithms = new Set([...held, ...fallbackKeys].map((key) => key.algorithm))
    if (algorithms.size > MAX_FALLBACK_KEYS) throw tooMany(MAX_FALLBACK_KEYS, 'fallback keys')
  }
}

function tooMany(limit: number, what: string): MatrixError {
  return new MatrixError('M_RESOURCE_LIMIT_EXCEEDED', `A device may have ${limit} ${what}; use those first`)
}
