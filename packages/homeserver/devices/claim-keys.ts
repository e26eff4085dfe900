import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import { parseJson } from '@causeway/matrix/json/parse.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { claimOneTimeKey, useFallbackKey } from '@causeway/store/tables/one-time-keys.ts'
import type { Homeserver } from '../homeserver.ts'

/** One key of one algorithm of one device. */
export interface KeyWish {
  readonly userId: UserId
  readonly deviceId: string
  readonly algorithm: string
}

/** A key that was handed out; `keyId` is without its algorithm. */
export interface ClaimedKey {
  readonly keyId: string
  readonly key: JsonValue
}

type Deps = Pick<Homeserver, 'db' | 'keyCounts' | 'appservices'>

/** Claims that go into one write: it holds up the others only that long. */
const PORTION = 500

/**
 * Hands out one-time keys of users of ours, each at most once and the oldest first, and the fallback key where
 * none is left. Answers user → device → key id → key; wishes that cannot be met are left out.
 */
export async function claimKeys(hs: Deps, wishes: readonly KeyWish[]): Promise<JsonObject> {
  const keys = await takeAll(hs, wishes, 'oneTime')
  const unmet = wishes.filter((wish) => !keys.has(wish))
  for (const [wish, key] of await takeAll(hs, unmet, 'fallback')) keys.set(wish, key)
  return renderClaims(keys)
}

async function takeAll(
  hs: Deps,
  wishes: readonly KeyWish[],
  kind: 'oneTime' | 'fallback',
): Promise<Map<KeyWish, ClaimedKey>> {
  const taken = new Map<KeyWish, ClaimedKey>()
  for (let from = 0; from < wishes.length; from += PORTION) {
    const portion = wishes.slice(from, from + PORTION)
    const take = kind === 'oneTime' ? claimOneTimeKey : useFallbackKey
    const steps = portion.map((wish): Step => take(wish.userId, wish.deviceId, wish.algorithm))
    const notes = await hs.appservices.noteClaims(portion, kind)
    const result = await hs.db.commit({ entries: [], steps: [...notes.steps, ...steps] })
    if (!result.ok) throw new Error('a claim of keys was refused')
    portion.forEach((wish, index) => {
      const row = result.rows.get(notes.steps.length + index)?.[0]
      if (row === undefined) return
      // At once: a later portion may fail, and this one is taken all the same.
      hs.keyCounts.forget(wish.userId, wish.deviceId as DeviceId)
      taken.set(wish, { keyId: String(row['key_id']), key: parseJson(String(row['json'])) })
    })
    notes.done()
  }
  return taken
}

/** User → device → key id → key, as `/keys/claim` answers. */
export function renderClaims(keys: ReadonlyMap<KeyWish, ClaimedKey>): JsonObject {
  const users = new Map<UserId, [string, JsonObject][]>()
  for (const [{ userId, deviceId, algorithm }, { keyId, key }] of keys) {
    const devices = users.get(userId) ?? []
    users.set(userId, devices)
    devices.push([deviceId, { [`${algorithm}:${keyId}`]: key }])
  }
  return Object.fromEntries([...users].map(([userId, devices]) => [userId, Object.fromEntries(devices)]))
}
