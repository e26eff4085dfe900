import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { createKeyedQueue, type KeyedQueue } from '@causeway/store/cache/keyed-queue.ts'
import type { Step } from '@causeway/store/db/database.ts'
import {
  deleteCrossSigningKey,
  listCrossSigningKeys,
  setCrossSigningKey,
  type CrossSigningRow,
} from '@causeway/store/tables/cross-signing.ts'
import type { DeviceKeysRow } from '@causeway/store/tables/device-keys.ts'
import {
  deleteRemoteCopy,
  deleteRemoteDevices,
  listRemoteDevices,
  listRemoteLists,
  setRemoteDevice,
  setRemoteList,
} from '@causeway/store/tables/remote-devices.ts'
import type { Homeserver } from '../../homeserver.ts'
import { deviceListChange } from '../device-list-entry.ts'
import { createFetchWatch, type Fetch, type FetchWatch } from './fetch-watch.ts'
import type { RemoteIdentity } from './remote-identity.ts'

export type CopyDeps = Pick<Homeserver, 'db' | 'log' | 'clock'>

/**
 * What guards the kept copies: whatever changes the copy of a user runs in that user's queue, one after another;
 * an answer that was overtaken is not kept. Nothing inside a queue awaits the network.
 */
export interface CopyGuard {
  readonly queue: KeyedQueue<UserId>
  readonly watch: FetchWatch
}

export function createCopyGuard(): CopyGuard {
  return { queue: createKeyedQueue(), watch: createFetchWatch() }
}

/**
 * Keeps what another server said of a user who shares a room with one of ours, in place of what was kept. Where
 * that was something else, readers learn by the log that there is news.
 */
export function storeCopy(
  { queue }: CopyGuard,
  hs: CopyDeps,
  identity: RemoteIdentity,
  fetch: Fetch,
): Promise<void> {
  const { userId } = identity
  return queue.serial(userId, async () => {
    if (!fetch.isCurrent(userId)) return
    const [lists, devices, keys] = await Promise.all([
      listRemoteLists(hs.db, [userId]),
      listRemoteDevices(hs.db, [userId]),
      listCrossSigningKeys(hs.db, [userId]),
    ])
    const isNews = lists.length > 0 && !isSame(identity, devices, keys)
    const news = isNews ? deviceListChange(userId, {}) : { entries: [], steps: [] }
    const now = hs.clock.now()
    const list = { is_stale: 0, retry_ts: 0, attempts: 0, fetched_ts: now, stream_id: identity.streamId }
    const steps: Step[] = [
      setRemoteList({ user_id: userId, server_name: serverNameOf(userId), ...list }),
      deleteRemoteDevices(userId),
      ...identity.devices.map(setRemoteDevice),
      ...replaceKeys(keys, identity.keys, true),
      ...news.steps,
    ]
    await hs.log.append({ entries: news.entries, steps })
  })
}

/** Lets go of the copy of a user with whom nobody of ours shares a room. */
export function dropCopy(
  { queue, watch }: CopyGuard,
  hs: Pick<CopyDeps, 'db'>,
  userId: UserId,
): Promise<void> {
  watch.outdate(userId)
  return queue.serial(userId, async () => {
    await hs.db.commit({ entries: [], steps: deleteRemoteCopy(userId) })
  })
}

function isSame(
  { devices, keys }: RemoteIdentity,
  heldDevices: readonly DeviceKeysRow[],
  heldKeys: readonly CrossSigningRow[],
): boolean {
  const texts = (rows: readonly (DeviceKeysRow | CrossSigningRow)[]): string =>
    rows
      .map((row) => JSON.stringify([row.json, row['display_name'] ?? '']))
      .toSorted((a, b) => (a < b ? -1 : 1))
      .join('\n')
  return texts(devices) === texts(heldDevices) && texts(keys) === texts(heldKeys)
}

/**
 * New cross-signing keys in place of the held ones; what ours signed of a key that stays, stays.
 * @param isWhole whether keys of which nothing is said are gone
 */
export function replaceKeys(
  held: readonly CrossSigningRow[],
  next: readonly CrossSigningRow[],
  isWhole: boolean,
): Step[] {
  const after = new Map(next.map((row) => [row.purpose, row]))
  const gone = held.filter((row) => {
    const successor = after.get(row.purpose)
    return successor === undefined ? isWhole : successor.public_key !== row.public_key
  })
  return [...gone.flatMap(deleteCrossSigningKey), ...next.map((row) => setCrossSigningKey(row, false))]
}
