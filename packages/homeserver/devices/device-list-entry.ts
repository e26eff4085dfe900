import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Step } from '@causeway/store/db/database.ts'
import type { DeviceListEntry } from '@causeway/store/log/entry.ts'
import { setDeviceListPosition } from '@causeway/store/tables/device-lists.ts'

/** What goes into a write together. */
export interface LogCompanions {
  readonly entries: readonly DeviceListEntry[]
  readonly steps: readonly Step[]
}

/**
 * What a write carries when a user's devices or cross-signing keys change: a device with keys added or removed,
 * renamed, keys replaced. Everybody who shares a room learns of it by the log.
 * @param index of the entry among the write's entries
 */
export function deviceListChange(userId: UserId, index = 0): LogCompanions {
  return {
    entries: [{ kind: 'device_list', position: 0, userId }],
    steps: [setDeviceListPosition(userId, { position: index })],
  }
}
