import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { ReadEntries } from '@causeway/store/log/cursor.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import { listDeviceListEntries } from '@causeway/store/tables/device-lists.ts'
import { listLogEventRows } from '@causeway/store/tables/events.ts'
import { listToDeviceTargets } from '@causeway/store/tables/to-device.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { getRoomByNid } from '../rooms/load-head.ts'
import { storedEventOfRow } from '../rooms/stored-event.ts'

/**
 * Events after a position, from the tables; `withEncryption`, messages to devices and changes of devices too, of which the
 * last of each user stands for all. Receipts and the like are best effort: only from the log in memory.
 */
export function readAppserviceEntries(rooms: RoomEngine, withEncryption: boolean): ReadEntries {
  return async (after, upTo, limit) => {
    const reads = [readEvents, ...(withEncryption ? [readMessages, readDeviceLists] : [])]
    const found = await Promise.all(reads.map((read) => read(rooms, after, upTo, limit)))
    // As far as none of them was cut short.
    const through = Math.min(
      upTo,
      ...found.map((list) => (list.length < limit ? upTo : list.at(-1)!.position)),
    )
    const entries = found.flat().filter(({ position }) => position <= through)
    return { entries: entries.sort((a, b) => a.position - b.position), through }
  }
}

type Read = (rooms: RoomEngine, after: number, upTo: number, limit: number) => Promise<LogEntry[]>

const readEvents: Read = async (rooms, after, upTo, limit) => {
  const entries: LogEntry[] = []
  for (const row of await listLogEventRows(rooms.db, after, upTo, limit)) {
    const event = storedEventOfRow(await getRoomByNid(rooms, row.room_nid), row)
    entries.push({ kind: 'event', position: row.nid, roomId: event.roomId, event })
  }
  return entries
}

const readMessages: Read = async ({ db }, after, upTo, limit) =>
  (await listToDeviceTargets(db, after, upTo, limit)).map(({ user_id, device_id, position }) => ({
    kind: 'to_device',
    position,
    userId: user_id as UserId,
    deviceId: device_id as DeviceId,
  }))

const readDeviceLists: Read = async ({ db }, after, upTo, limit) =>
  (await listDeviceListEntries(db, after, upTo, limit)).map(({ user_id, position }) => ({
    kind: 'device_list',
    position,
    userId: user_id as UserId,
  }))
