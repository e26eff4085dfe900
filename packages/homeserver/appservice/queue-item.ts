import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'

/**
 * What an appservice gets beside events, for end-to-end encryption (MSC3202). `message`: one to a device, by its position.
 * `changed`: the devices of a user did. `left`: a user left a room in which the appservice is. `met`, `parted`: the
 * appservice's first user came into a room, its last one left it; by the room's number, for all who are in it.
 */
export type EncryptionItem =
  | { readonly message: number }
  | { readonly changed: UserId }
  | { readonly left: UserId }
  | { readonly met: number }
  | { readonly parted: number }

/** What waits in a queue, in the order of the log. */
export type QueueItem = StoredEvent | EncryptionItem

/** With its position in the log. */
export interface PlacedItem {
  readonly position: number
  readonly item: QueueItem
}

/** The same as it is stored: an event by its number. */
export type PendingItem = number | EncryptionItem

export const isEvent = (item: QueueItem): item is StoredEvent => 'eventId' in item

/** Whether an item says something else before the write with which it is put in is durable: who shares rooms is in that write. */
export const isEarly = (item: QueueItem): boolean => 'left' in item || 'parted' in item

/** Items as the text of a row: JSON values with commas between them. */
export function formatItems(items: readonly QueueItem[]): string {
  return items.map((item) => (isEvent(item) ? item.nid : JSON.stringify(item))).join(',')
}

export function parseItems(text: string): PendingItem[] {
  return JSON.parse(`[${text}]`) as PendingItem[]
}
