import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { Write } from '@causeway/store/db/database.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import { deleteDevice, listDevices } from '@causeway/store/tables/devices.ts'
import { deletePushersOfDevice } from '@causeway/store/tables/pushers.ts'
import { deleteTokens } from '@causeway/store/tables/tokens.ts'
import { deviceRemoval, forgetDevices as forgetKeys } from '../devices/remove-devices.ts'
import type { Homeserver } from '../homeserver.ts'
import { deviceSettingsRemoval } from '../user-data/device-settings.ts'

type Deps = Pick<Homeserver, 'db' | 'clock' | 'sessions' | 'keyCounts'>

/** The ids of a user's devices. */
export async function listDeviceIds(hs: Pick<Deps, 'db'>, userId: UserId): Promise<DeviceId[]> {
  return (await listDevices(hs.db, userId)).map((device) => device.deviceId as DeviceId)
}

/** The same without a dehydrated one: those that somebody can be logged in on. */
export async function listLoginDeviceIds(hs: Pick<Deps, 'db'>, userId: UserId): Promise<DeviceId[]> {
  const devices = await listDevices(hs.db, userId)
  return devices.filter((device) => !device.isDehydrated).map((device) => device.deviceId as DeviceId)
}

/** What is written when devices end, with all that hangs on them. Its entries must be the write's first. */
export async function endDevicesWrite(
  hs: Pick<Deps, 'db' | 'clock'>,
  userId: UserId,
  deviceIds: readonly DeviceId[],
): Promise<Write> {
  if (deviceIds.length === 0) return { entries: [], steps: [] }
  const removal = deviceRemoval(userId, deviceIds)
  const entries: LogEntry[] = [...removal.entries, { kind: 'pushers', position: 0, userId }]
  const settings = await deviceSettingsRemoval(hs, userId, deviceIds, entries.length)
  const own = deviceIds.flatMap((id) => [
    ...deleteTokens(userId, id),
    ...deletePushersOfDevice(userId, id),
    deleteDevice(userId, id),
  ])
  return {
    entries: [...entries, ...settings.entries],
    steps: [...own, ...removal.steps, ...settings.steps],
  }
}

/** To be called after the commit of `endDevicesWrite`, before anybody is answered. */
export function forgetDevices(
  hs: Pick<Deps, 'sessions' | 'keyCounts'>,
  userId: UserId,
  deviceIds: readonly DeviceId[],
): void {
  for (const id of deviceIds) hs.sessions.forget(userId, id)
  forgetKeys(hs, userId, deviceIds)
}

/** Ends devices for good: their tokens, and all that hangs on them. Unknown ids are ended already. */
export async function endDevices(hs: Deps, userId: UserId, deviceIds: readonly DeviceId[]): Promise<void> {
  // Others are told of devices that there are; a client may name thousands that there are not.
  const wanted = new Set(deviceIds)
  const existing = (await listDeviceIds(hs, userId)).filter((id) => wanted.has(id))
  if (existing.length === 0) return
  await hs.db.commit(await endDevicesWrite(hs, userId, existing))
  forgetDevices(hs, userId, existing)
}
