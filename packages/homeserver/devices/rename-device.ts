import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { renameDevice } from '@causeway/store/tables/devices.ts'
import type { Homeserver } from '../homeserver.ts'
import { deviceListChange } from './device-list-entry.ts'

/** Gives a device another name, which others see beside its keys. @returns whether there is such a device */
export async function setDeviceName(
  { db }: Pick<Homeserver, 'db'>,
  userId: UserId,
  deviceId: string,
  name: string,
): Promise<boolean> {
  const { entries, steps } = deviceListChange(userId, { changed: [deviceId] })
  const result = await db.commit({ entries, steps: [renameDevice(userId, deviceId, name), ...steps] })
  return result.ok
}
