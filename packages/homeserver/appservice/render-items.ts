import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { Database } from '@causeway/store/db/database.ts'
import {
  listMembersForAppservice,
  listSharingAppservice,
  type ClaimedKeysRow,
} from '@causeway/store/tables/appservice-encryption.ts'
import { findToDevice, type ToDeviceRow } from '@causeway/store/tables/to-device.ts'
import type { DeviceKeyCounts, KeyCounts } from '../devices/key-counts.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import type { KnownAppservice } from './known.ts'
import { isEvent, type EncryptionItem, type QueueItem } from './queue-item.ts'
import { renderEvents } from './transaction.ts'

export interface RenderDeps {
  readonly db: Database
  readonly rooms: RoomEngine
  readonly keyCounts: Pick<KeyCounts, 'of' | 'forget'>
}

/** A transaction as it is stored and sent. */
export interface RenderedTransaction {
  readonly body: string
  /** Positions of the messages to devices in it, with commas between them. */
  readonly to_device: string
}

/**
 * The transaction that items come to; undefined when nothing is left of them. For those who asked for MSC3202, with
 * messages to devices, changed devices and counts of keys, all by the names from before they are in the specification.
 * https://spec.matrix.org/v1.19/application-service-api/#put_matrixappv1transactionstxnid
 */
export async function renderItems(
  deps: RenderDeps,
  known: KnownAppservice,
  items: readonly QueueItem[],
  claimed: readonly ClaimedKeysRow[] = [],
): Promise<RenderedTransaction | undefined> {
  const events = items.filter(isEvent)
  const parts: string[] = []
  let messages: readonly ToDeviceRow[] = []
  if (known.appservice.receivesEncryption) {
    const others = items.filter((item): item is EncryptionItem => !isEvent(item))
    messages = await readMessages(deps.db, others)
    // Whoever handed out the keys may not have come to forget the counts yet.
    for (const { user_id, device_id } of claimed)
      deps.keyCounts.forget(user_id as UserId, device_id as DeviceId)
    parts.push(
      ...formatMessages(messages),
      ...formatDeviceLists(await readDeviceLists(deps.db, known, others)),
      ...(await formatKeyCounts(deps.keyCounts, [...messages, ...claimed])),
    )
  }
  if (events.length === 0 && parts.length === 0) return undefined
  return {
    body: `{${[`"events":${await renderEvents(deps.rooms, events)}`, ...parts].join(',')}}`,
    to_device: messages.map(({ position }) => position).join(','),
  }
}

async function readMessages(db: Database, items: readonly EncryptionItem[]): Promise<ToDeviceRow[]> {
  const positions = items.flatMap((item) => ('message' in item ? [item.message] : []))
  return positions.length === 0 ? [] : findToDevice(db, positions)
}

function formatMessages(messages: readonly ToDeviceRow[]): string[] {
  if (messages.length === 0) return []
  const list = messages.map(({ user_id, device_id, json }) => {
    const target = `"to_user_id":${JSON.stringify(user_id)},"to_device_id":${JSON.stringify(device_id)}`
    return `{${target},${json.slice(1)}`
  })
  return [`"de.sorunome.msc2409.to_device":[${list.join(',')}]`]
}

type Told = Map<string, 'changed' | 'left'>

/** In the order of the log: what was said of a user last holds. Who left is told only if no room is shared any more. */
async function readDeviceLists(
  db: Database,
  { nid }: KnownAppservice,
  items: readonly EncryptionItem[],
): Promise<Told> {
  const told: Told = new Map()
  const gone = items.flatMap((item) => ('left' in item ? [item.left] : []))
  const sharing = new Set(gone.length === 0 ? [] : await listSharingAppservice(db, nid, gone))
  for (const item of items) {
    if ('changed' in item) told.set(item.changed, 'changed')
    else if ('left' in item && !sharing.has(item.left)) told.set(item.left, 'left')
    else if ('met' in item)
      for (const userId of await listMembersForAppservice(db, item.met)) told.set(userId, 'changed')
    else if ('parted' in item)
      for (const userId of await listMembersForAppservice(db, item.parted, nid)) told.set(userId, 'left')
  }
  return told
}

function formatDeviceLists(told: Told): string[] {
  if (told.size === 0) return []
  const of = (what: 'changed' | 'left'): string[] =>
    [...told].flatMap(([userId, which]) => (which === what ? [userId] : []))
  return [`"org.matrix.msc3202.device_lists":${JSON.stringify({ changed: of('changed'), left: of('left') })}`]
}

type Counts = Record<string, Record<string, DeviceKeyCounts>>

/** The keys that are left to devices. The count also goes by the name that Synapse had before 1.73, for those who know only that. */
async function formatKeyCounts(
  keyCounts: RenderDeps['keyCounts'],
  devices: readonly { readonly user_id: string; readonly device_id: string }[],
): Promise<string[]> {
  if (devices.length === 0) return []
  const byUser = Map.groupBy(devices, (device) => device.user_id)
  const counts: [string, Counts[string]][] = []
  for (const [userId, list] of byUser) {
    const ids = new Set(list.map((device) => device.device_id))
    const ofDevices = [...ids].map(
      async (id) => [id, await keyCounts.of(userId as UserId, id as DeviceId)] as const,
    )
    counts.push([userId, Object.fromEntries(await Promise.all(ofDevices))])
  }
  const oneTime = formatCounts(counts, (of) => of.counts)
  return [
    `"org.matrix.msc3202.device_one_time_keys_count":${oneTime}`,
    `"org.matrix.msc3202.device_one_time_key_counts":${oneTime}`,
    `"org.matrix.msc3202.device_unused_fallback_key_types":${formatCounts(counts, (of) => of.unusedFallback)}`,
  ]
}

function formatCounts(
  counts: readonly [string, Counts[string]][],
  pick: (of: DeviceKeyCounts) => unknown,
): string {
  return JSON.stringify(
    Object.fromEntries(
      counts.map(([userId, devices]) => [
        userId,
        Object.fromEntries(Object.entries(devices).map(([id, of]) => [id, pick(of)])),
      ]),
    ),
  )
}
