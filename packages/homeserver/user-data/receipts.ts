import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { LogEntry, StoredEvent } from '@causeway/store/log/entry.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { invalidParam, MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { changeAccountData, findAccountData } from '@causeway/store/tables/account-data.ts'
import { changeReceipt, findReceipt } from '@causeway/store/tables/receipts.ts'
import type { Homeserver } from '../homeserver.ts'
import { findEvent } from '../rooms/read-events.ts'
import { relationOf, threadOf } from '../rooms/relation.ts'
import { MAIN } from '../unread/event-steps.ts'

/** `m.fully_read` is no receipt but the marker that clients draw; it is kept as account data. */
export const RECEIPT_TYPES = ['m.read', 'm.read.private', 'm.fully_read'] as const
export type ReceiptType = (typeof RECEIPT_TYPES)[number]

/** "Read up to here." */
export interface Receipt {
  readonly type: ReceiptType
  readonly event: StoredEvent
  /** `main`, or a thread's root; undefined when it is not threaded. */
  readonly threadId: string | undefined
}

/** What receipts need. */
export type ReceiptParts = Pick<Homeserver, 'db' | 'log' | 'clock' | 'rooms'>

/** How often receipts are set again when others of the same kind came first: each time one of those is durable. */
const ATTEMPTS = 20

interface Change {
  readonly entry: LogEntry
  /** @param index of the entry in the write */
  readonly step: (index: number) => Step
}

/**
 * Sets receipts of one user in one room, together, and resolves once they are durable. One that stands at a
 * newer event already stays there. https://spec.matrix.org/v1.19/client-server-api/#receipts
 */
export async function writeReceipts(
  hs: ReceiptParts,
  userId: UserId,
  receipts: readonly Receipt[],
): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const changes = await changesOf(hs, userId, receipts)
    if (changes.length === 0) return
    const result = await hs.log.append({
      entries: changes.map(({ entry }) => entry),
      steps: changes.map(({ step }, index) => step(index)),
    })
    if (result.ok) return
  }
  throw new MatrixError('M_UNKNOWN', 'This is being read by other requests; try again')
}

async function changesOf(
  hs: ReceiptParts,
  userId: UserId,
  receipts: readonly Receipt[],
): Promise<readonly Change[]> {
  const changes: Change[] = []
  for (const receipt of receipts) {
    const change =
      receipt.type === 'm.fully_read'
        ? await markerChange(hs, userId, receipt.event)
        : await receiptChange(hs, userId, receipt)
    if (change !== undefined) changes.push(change)
  }
  return changes
}

async function receiptChange(
  { db, clock }: ReceiptParts,
  userId: UserId,
  { type, event, threadId }: Receipt,
): Promise<Change | undefined> {
  const { roomId, roomNid, eventId, nid } = event
  const key = { roomNid, userId, receiptType: type, threadId: threadId ?? '' }
  const before = await findReceipt(db, key)
  if (before !== undefined && before.event_nid >= nid) return undefined
  const ts = clock.now()
  const place = { roomId, userId, receiptType: type, eventId, eventNid: nid, threadId, ts }
  return {
    entry: { kind: 'receipt', position: 0, ...place },
    step: (index) => changeReceipt(key, event, ts, index, before?.position),
  }
}

async function markerChange(
  hs: ReceiptParts,
  userId: UserId,
  { roomId, roomNid, eventId, nid }: StoredEvent,
): Promise<Change | undefined> {
  const type = 'm.fully_read'
  const row = await findAccountData(hs.db, userId, roomNid, type)
  if (row !== undefined) {
    const { event_id: marked } = JSON.parse(row.content) as { event_id: EventId }
    const before = await findEvent(hs.rooms, marked)
    if (before !== undefined && before.nid >= nid) return undefined
  }
  const content = { event_id: eventId }
  return {
    entry: { kind: 'account_data', position: 0, userId, roomId, type, content },
    step: (index) =>
      changeAccountData(
        { userId, roomNid, type },
        { content: JSON.stringify(content), entry: index, now: hs.clock.now() },
        row?.position,
      ),
  }
}

/** How many relations are followed to find the thread that an event is in. */
const MAX_HOPS = 3

/**
 * Throws `M_INVALID_PARAM` when an event is not in a thread. Of a redacted event that cannot be told any more.
 * https://spec.matrix.org/v1.19/client-server-api/#threaded-read-receipts
 */
export async function requireInThread(hs: ReceiptParts, event: StoredEvent, threadId: string): Promise<void> {
  if ((event.flags & EventFlag.redacted) !== 0 || event.eventId === threadId) return
  if (threadId === MAIN) {
    if (threadOf(event.content) === undefined) return
    throw invalidParam(`${event.eventId} is in a thread and not in the main timeline`)
  }
  if (await leadsTo(hs, event, event.roomId, threadId)) return
  throw invalidParam(`${event.eventId} is not in the thread ${threadId}`)
}

async function leadsTo(
  { rooms }: ReceiptParts,
  event: StoredEvent,
  roomId: RoomId,
  threadId: string,
): Promise<boolean> {
  let current: StoredEvent | undefined = event
  for (let hop = 0; hop < MAX_HOPS && current?.roomId === roomId; hop++) {
    const parentId: string | undefined = relationOf(current.content)?.parentEventId
    if (parentId === undefined) return false
    if (parentId === threadId) return true
    current = await findEvent(rooms, parentId as EventId)
  }
  return false
}
