import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { tooLarge } from '@causeway/matrix/errors/matrix-error.ts'
import type { Database, Step } from '@causeway/store/db/database.ts'
import type { ToDeviceEntry } from '@causeway/store/log/entry.ts'
import { listDeviceIds } from '@causeway/store/tables/device-keys.ts'
import { insertToDevice } from '@causeway/store/tables/to-device.ts'
import type { Homeserver } from '../homeserver.ts'
import { CompanionRefused } from '../rooms/write-to-room.ts'

/** Messages of one type: user of ours → device id, or `*` for all of them → content. */
export interface DeviceMessages {
  readonly type: string
  readonly sender: UserId
  readonly contents: ReadonlyMap<UserId, ReadonlyMap<string, JsonObject>>
}

/** A message on its way to one device, as JSON text. */
export interface Delivery {
  readonly userId: UserId
  readonly deviceId: DeviceId
  readonly json: string
}

/** As for events. */
const MAX_CONTENT_LENGTH = 65_536
/** What one request may store, `*` expanded. */
const MAX_DELIVERIES = 10_000
const MAX_TOTAL_LENGTH = 32 * 1024 * 1024

/**
 * The messages device by device. Devices that do not exist get nothing. Throws `M_TOO_LARGE`. One query.
 */
export async function readRecipients(db: Database, messages: DeviceMessages): Promise<Delivery[]> {
  const { type, sender, contents } = messages
  const texts = new Map<JsonObject, string>()
  const textOf = (content: JsonObject): string => {
    const known = texts.get(content)
    if (known !== undefined) return known
    const inner = JSON.stringify(content)
    if (inner.length > MAX_CONTENT_LENGTH)
      throw tooLarge(`A message may have at most ${MAX_CONTENT_LENGTH} characters of content`)
    const text = `{"type":${JSON.stringify(type)},"sender":${JSON.stringify(sender)},"content":${inner}}`
    texts.set(content, text)
    return text
  }
  const deliveries: Delivery[] = []
  let total = 0
  for (const { user_id, device_id } of await listDeviceIds(db, [...contents.keys()])) {
    const ofUser = contents.get(user_id as UserId)!
    const content = ofUser.get(device_id) ?? ofUser.get('*')
    if (content === undefined) continue
    const json = textOf(content)
    total += json.length
    deliveries.push({ userId: user_id as UserId, deviceId: device_id as DeviceId, json })
  }
  if (deliveries.length > MAX_DELIVERIES || total > MAX_TOTAL_LENGTH)
    throw tooLarge('This is too much for one request; send to fewer devices at a time')
  return deliveries
}

/**
 * Puts messages into the inboxes of devices, in one write with `first` steps (the record of the transaction).
 * Throws `CompanionRefused` when one of those was refused.
 */
export async function sendToDevices(
  hs: Pick<Homeserver, 'log'>,
  deliveries: readonly Delivery[],
  first: readonly Step[] = [],
): Promise<void> {
  const entries = deliveries.map(({ userId, deviceId }): ToDeviceEntry => ({
    kind: 'to_device',
    position: 0,
    userId,
    deviceId,
  }))
  const inserts = deliveries.map(({ userId, deviceId, json }, position) =>
    insertToDevice(userId, deviceId, { position }, json),
  )
  const result = await hs.log.append({ entries, steps: [...first, ...inserts] })
  if (!result.ok) throw new CompanionRefused(result.step, result.reason)
}
