// https://spec.matrix.org/v1.19/server-server-api/#device-management
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { listCrossSigningKeys, type CrossSigningRow } from '@causeway/store/tables/cross-signing.ts'
import type { DeviceKeysRow } from '@causeway/store/tables/device-keys.ts'
import {
  advanceRemoteList,
  countRemoteDevices,
  deleteRemoteDevice,
  listRemoteLists,
  markRemoteListStale,
  setRemoteDevice,
  UNKNOWN_STREAM,
  type RemoteListRow,
} from '@causeway/store/tables/remote-devices.ts'
import { deviceListChange } from '../device-list-entry.ts'
import { replaceKeys, type CopyDeps, type CopyGuard } from './copies.ts'

/** One `m.device_list_update`. */
export interface DeviceUpdate {
  readonly deviceId: string
  readonly streamId: number
  readonly prevIds: readonly number[]
  /** Undefined: the device is gone, or has no keys. */
  readonly device: DeviceKeysRow | undefined
}

/** What one transaction says of one user, in order. */
export interface UserUpdates {
  readonly userId: UserId
  readonly devices: readonly DeviceUpdate[]
  /** Of `m.signing_key_update`. */
  readonly keys: readonly CrossSigningRow[]
}

/** A copy is not fetched again sooner than this after it was fetched, in milliseconds. */
const MIN_AGE_MS = 5_000
/** More than a user may have: then the whole list is asked for, which has a rule for it. */
const MAX_DEVICES = 1_000

/**
 * Takes in updates about a user who shares a room with one of ours: into the copy, where one is kept and nothing
 * is missing; else the copy is marked as stale. In any case readers learn by the log that there is news. One
 * write. Resolves with whether the copy is stale now.
 */
export function applyUpdates(guard: CopyGuard, hs: CopyDeps, updates: UserUpdates): Promise<boolean> {
  const { userId } = updates
  guard.watch.outdate(userId)
  return guard.queue.serial(userId, async () => {
    const [list] = await listRemoteLists(hs.db, [userId])
    const news = deviceListChange(userId, {})
    const { steps, isStale } = await changesOf(hs, list, updates)
    await hs.log.append({ entries: news.entries, steps: [...news.steps, ...steps] })
    return isStale
  })
}

async function changesOf(
  hs: CopyDeps,
  list: RemoteListRow | undefined,
  updates: UserUpdates,
): Promise<{ steps: Step[]; isStale: boolean }> {
  // Nobody has asked for the user yet, or the whole is to be fetched anyway.
  if (list === undefined) return { steps: [], isStale: false }
  if (list.is_stale === 1) return { steps: [], isStale: true }
  const { userId, devices, keys } = updates
  const last = follow(list.stream_id, devices)
  const tooMany =
    devices.length > 0 && (await countRemoteDevices(hs.db, userId)) + devices.length > MAX_DEVICES
  if (last === undefined || tooMany) {
    const retryTs = Math.max(hs.clock.now(), list.fetched_ts + MIN_AGE_MS)
    return { steps: [markRemoteListStale(userId, retryTs)], isStale: true }
  }
  const held = keys.length === 0 ? [] : await listCrossSigningKeys(hs.db, [userId])
  const steps = [
    ...devices.map(({ deviceId, device }) =>
      device === undefined ? deleteRemoteDevice(userId, deviceId) : setRemoteDevice(device),
    ),
    ...(devices.length === 0 ? [] : [advanceRemoteList(userId, last)]),
    ...replaceKeys(held, keys, endsAll(held, keys)),
  ]
  return { steps, isStale: false }
}

/** With a master key go the keys that it signed. */
function endsAll(held: readonly CrossSigningRow[], next: readonly CrossSigningRow[]): boolean {
  const masterOf = (rows: readonly CrossSigningRow[]) => rows.find((row) => row.purpose === 'master')
  const successor = masterOf(next)
  return successor !== undefined && masterOf(held)?.public_key !== successor.public_key
}

/**
 * Follows the chain of updates from the last one that is known. Undefined where one is missing: an update names
 * another before it than those we have, or none, or its number is from before.
 */
function follow(known: number, updates: readonly DeviceUpdate[]): number | undefined {
  let last = known
  const seen = new Set([known])
  for (const { streamId, prevIds } of updates) {
    // The same once more: the transaction was sent again.
    if (seen.has(streamId) && streamId !== UNKNOWN_STREAM) continue
    if (known === UNKNOWN_STREAM || prevIds.length === 0) return undefined
    if (!prevIds.every((id) => seen.has(id))) return undefined
    seen.add(streamId)
    last = streamId
  }
  return last
}
