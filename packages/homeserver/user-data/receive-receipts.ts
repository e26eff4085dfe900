import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { listReceiptsOf, setReceipt, type ReceiptKey } from '@causeway/store/tables/receipts.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { BEGINNING, findEvents, isShown } from '../rooms/read-events.ts'
import { MAIN } from '../unread/event-steps.ts'
import { requireInThread, type ReceiptParts } from './receipts.ts'

/** "Read up to here", of a user of another server. */
export interface ReceivedReceipt {
  readonly roomId: RoomId
  readonly roomNid: number
  readonly userId: UserId
  readonly eventId: EventId
  /** `main`, or a thread's root; undefined when it is not threaded. */
  readonly threadId: string | undefined
  /** When their server says it was, in milliseconds. */
  readonly ts: number
}

interface Placed {
  readonly receipt: ReceivedReceipt
  readonly event: { readonly eventId: EventId; readonly nid: number }
  readonly key: ReceiptKey
}

const TYPE = 'm.read'

/**
 * Sets receipts whose users may set them, in one write. Those for events of another room, or not in their thread, are
 * dropped; one that stands at a newer event already stays there. A receipt may come before its event: one for an event
 * that we do not hold is kept, and counts as older than any other.
 */
export async function receiveReceipts(hs: ReceiptParts, receipts: readonly ReceivedReceipt[]): Promise<void> {
  const newest = new Map<string, Placed>()
  for (const placed of await place(hs, receipts)) {
    const name = nameOf(placed.key)
    const other = newest.get(name)
    if (other === undefined || other.event.nid <= placed.event.nid) newest.set(name, placed)
  }
  if (newest.size === 0) return
  const keys = [...newest.values()].map(({ key }) => key)
  const roomNids = [...new Set(keys.map((key) => key.roomNid))]
  const userIds = [...new Set(keys.map((key) => key.userId))]
  for (const row of await listReceiptsOf(hs.db, roomNids, userIds, TYPE)) {
    const { room_nid: roomNid, user_id: userId, thread_id: threadId } = row
    const name = nameOf({ roomNid, userId, threadId, receiptType: TYPE })
    const nid = newest.get(name)?.event.nid ?? Infinity
    // Of two events that we do not hold, the later receipt counts.
    if (row.event_nid >= nid && row.event_nid !== BEGINNING) newest.delete(name)
  }
  await write(hs, [...newest.values()])
}

function nameOf({ roomNid, userId, threadId }: ReceiptKey): string {
  return JSON.stringify([roomNid, userId, threadId])
}

async function place(hs: ReceiptParts, receipts: readonly ReceivedReceipt[]): Promise<Placed[]> {
  const events = await findEvents(hs.rooms, [...new Set(receipts.map((receipt) => receipt.eventId))])
  const placed: Placed[] = []
  for (const receipt of receipts) {
    const event = events.get(receipt.eventId) ?? unknownEvent(receipt)
    if (event === undefined || !(await mayStandAt(hs, receipt, event))) continue
    const { userId, threadId = '', roomNid } = receipt
    placed.push({ receipt, event, key: { roomNid, userId, receiptType: TYPE, threadId } })
  }
  return placed
}

/** Which thread an event that we do not hold is in cannot be told. */
function unknownEvent({ eventId, threadId }: ReceivedReceipt): Placed['event'] | undefined {
  return threadId === undefined || threadId === MAIN ? { eventId, nid: BEGINNING } : undefined
}

async function mayStandAt(
  hs: ReceiptParts,
  { roomId, threadId }: ReceivedReceipt,
  event: StoredEvent | Placed['event'],
): Promise<boolean> {
  if (!('flags' in event)) return true
  return event.roomId === roomId && isShown(event) && isInThread(hs, event, threadId)
}

async function isInThread(
  hs: ReceiptParts,
  event: StoredEvent,
  threadId: string | undefined,
): Promise<boolean> {
  if (threadId === undefined) return true
  try {
    await requireInThread(hs, event, threadId)
    return true
  } catch (error) {
    if (error instanceof MatrixError) return false
    throw error
  }
}

async function write(hs: ReceiptParts, placed: readonly Placed[]): Promise<void> {
  if (placed.length === 0) return
  const now = hs.clock.now()
  const at = ({ ts }: ReceivedReceipt): number =>
    Number.isSafeInteger(ts) && ts >= 0 ? Math.min(ts, now) : now
  await hs.log.append({
    entries: placed.map(({ receipt, event }) => ({
      kind: 'receipt',
      position: 0,
      roomId: receipt.roomId,
      userId: receipt.userId,
      receiptType: TYPE,
      eventId: event.eventId,
      eventNid: event.nid,
      threadId: receipt.threadId,
      ts: at(receipt),
    })),
    steps: placed.map(({ receipt, event, key }, index) => setReceipt(key, event, at(receipt), index)),
  })
}
