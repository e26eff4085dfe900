import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { RoomExtras } from './room-extras.ts'
import type { SyncContext } from './context.ts'
import { readAccountData } from './streams/account-data.ts'
import { readDeviceLists } from './streams/device-lists.ts'
import { readPresence } from './streams/presence.ts'
import { readReceipts } from './streams/receipts.ts'
import { readSticky } from './streams/sticky.ts'
import { readToDevice } from './streams/to-device.ts'
import { readTyping } from './streams/typing.ts'

/** What a sync tells beside the rooms' events. */
export interface Sections {
  /** For joined rooms only, and only those of which there is something to tell. */
  readonly extras: ReadonlyMap<RoomId, RoomExtras>
  /** Members of the response's object, as JSON texts such as `"to_device":{…}`. */
  readonly parts: readonly string[]
}

interface Extras {
  readonly accountData: string[]
  readonly ephemeral: string[]
  readonly sticky: StoredEvent[]
}

/** Asks every stream the same question: complete, or what changed. */
export async function readSections(ctx: SyncContext): Promise<Sections> {
  const [accountData, receipts, typing, sticky, presence, toDevice, deviceLists] = await Promise.all([
    readAccountData(ctx),
    readReceipts(ctx),
    readTyping(ctx),
    readSticky(ctx),
    readPresence(ctx),
    readToDevice(ctx),
    readDeviceLists(ctx),
  ])
  const extras = new Map<RoomId, Extras>()
  const extrasOf = (roomId: RoomId): Extras => {
    const held = extras.get(roomId)
    if (held !== undefined) return held
    const made = { accountData: [], ephemeral: [], sticky: [] }
    extras.set(roomId, made)
    return made
  }
  for (const [roomId, events] of accountData.rooms) extrasOf(roomId).accountData.push(...events)
  for (const stream of [receipts, typing]) {
    for (const [roomId, event] of stream) extrasOf(roomId).ephemeral.push(event)
  }
  for (const [roomId, events] of sticky) extrasOf(roomId).sticky.push(...events)
  const parts: string[] = []
  if (accountData.global.length > 0) parts.push(`"account_data":{"events":[${accountData.global.join(',')}]}`)
  if (presence.length > 0) parts.push(`"presence":{"events":[${presence.join(',')}]}`)
  if (toDevice.length > 0) parts.push(`"to_device":{"events":[${toDevice.join(',')}]}`)
  if (deviceLists !== undefined) parts.push(`"device_lists":${JSON.stringify(deviceLists)}`)
  return { extras, parts }
}
