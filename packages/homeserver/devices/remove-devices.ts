import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { deleteEncryptionOfUser, deleteOfDevice } from '@causeway/store/tables/device-keys.ts'
import type { Homeserver } from '../homeserver.ts'
import { deviceListChange, type LogCompanions } from './device-list-entry.ts'

/**
 * What is written together with the removal of devices: their keys and messages go, and others learn of it. The
 * entry is the first of the write's entries.
 */
export function deviceRemoval(userId: UserId, deviceIds: readonly DeviceId[]): LogCompanions {
  const change = deviceListChange(userId, { deleted: deviceIds })
  return {
    entries: change.entries,
    steps: [...change.steps, ...deviceIds.flatMap((deviceId) => deleteOfDevice(userId, deviceId))],
  }
}

/** Drops what is held in memory of devices that are gone. */
export function forgetDevices(
  hs: Pick<Homeserver, 'keyCounts'>,
  userId: UserId,
  deviceIds: readonly DeviceId[],
): void {
  for (const deviceId of deviceIds) hs.keyCounts.forget(userId, deviceId)
}

/** Cross-signing keys, signatures and backups of an account that is erased; its devices' keys too. */
export function encryptionErasure(userId: UserId): Step[] {
  return deleteEncryptionOfUser(userId)
}
