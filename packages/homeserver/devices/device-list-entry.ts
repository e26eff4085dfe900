import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Step } from '@causeway/store/db/database.ts'
import type { DeviceListEntry } from '@causeway/store/log/entry.ts'
import { CROSS_SIGNING, setDeviceChange } from '@causeway/store/tables/device-changes.ts'
import { setDeviceListPosition } from '@causeway/store/tables/device-lists.ts'

/** What goes into a write together. */
export interface LogCompanions {
  readonly entries: readonly DeviceListEntry[]
  readonly steps: readonly Step[]
}

/** What changed of a user of ours, for other servers, which are told device by device. */
export interface ChangedDevices {
  readonly changed?: readonly string[]
  readonly deleted?: readonly string[]
  /** The master key or the self-signing key. */
  readonly crossSigning?: boolean
}

/**
 * What a write carries when a user's devices or cross-signing keys change: a device with keys added or removed,
 * renamed, keys replaced. Everybody who shares a room learns of it by the log, other servers too.
 * @param index of the entry among the write's entries
 */
export function deviceListChange(userId: UserId, what: ChangedDevices, index = 0): LogCompanions {
  const position = { position: index }
  return {
    entries: [{ kind: 'device_list', position: 0, userId }],
    steps: [
      setDeviceListPosition(userId, position),
      ...(what.changed ?? []).map((id) => setDeviceChange(userId, id, position, false)),
      ...(what.deleted ?? []).map((id) => setDeviceChange(userId, id, position, true)),
      ...(what.crossSigning === true ? [setDeviceChange(userId, CROSS_SIGNING, position, false)] : []),
    ],
  }
}
