import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import { listReceipts, type ReceiptRow } from '@causeway/store/tables/receipts.ts'
import type { SyncContext } from '../context.ts'
import { toldRooms, type ToldRooms } from './joined-rooms.ts'

/** One receipt as it is told. */
export interface Receipt {
  readonly roomId: RoomId
  readonly userId: string
  readonly receiptType: string
  readonly eventId: string
  /** Empty when it is not threaded. */
  readonly threadId: string
  readonly ts: number
}

/**
 * One `m.receipt` event as JSON per room: all receipts on a first sync and of a room that the reader came into
 * since, else those that changed. Private ones are for their owner only.
 * https://spec.matrix.org/v1.19/client-server-api/#receipts
 */
export async function readReceipts(ctx: SyncContext): Promise<ReadonlyMap<RoomId, string>> {
  const { ephemeral } = ctx.filter
  if (ephemeral.isEmpty || !ephemeral.passes({ type: 'm.receipt' })) return new Map()
  const rooms = toldRooms(ctx, ephemeral)
  const receipts = new Map<string, Receipt>()
  const add = (receipt: Receipt): void => {
    const { roomId, userId, receiptType, threadId } = receipt
    receipts.set(JSON.stringify([roomId, userId, receiptType, threadId]), receipt)
  }
  if (rooms.fresh.length > 0) for (const receipt of await readRows(ctx, rooms, rooms.fresh, 0)) add(receipt)
  const changed =
    ctx.entries === undefined
      ? await readRows(ctx, rooms, [...rooms.all.keys()], ctx.since?.position ?? 0)
      : receiptsOf(ctx, rooms, ctx.entries)
  for (const receipt of changed) add(receipt)
  return eventsOf(receipts.values())
}

async function readRows(
  { hs, session, now }: SyncContext,
  rooms: ToldRooms,
  roomNids: readonly number[],
  after: number,
): Promise<Receipt[]> {
  if (roomNids.length === 0) return []
  const rows = await listReceipts(hs.db, session.userId, roomNids, after, now.position)
  return rows.map((row) => receiptOf(rooms.all.get(row.room_nid)!, row))
}

export function receiptOf(roomId: RoomId, row: ReceiptRow): Receipt {
  return {
    roomId,
    userId: row.user_id,
    receiptType: row.receipt_type,
    eventId: row.event_id,
    threadId: row.thread_id,
    ts: row.ts,
  }
}

function receiptsOf(
  { session, rooms: all }: SyncContext,
  rooms: ToldRooms,
  entries: readonly LogEntry[],
): Receipt[] {
  const receipts: Receipt[] = []
  for (const entry of entries) {
    if (entry.kind !== 'receipt') continue
    const { roomId, userId, receiptType, eventId, threadId = '', ts } = entry
    if (receiptType === 'm.read.private' && userId !== session.userId) continue
    const roomNid = all.byId.get(roomId)?.roomNid
    if (roomNid !== undefined && rooms.all.has(roomNid))
      receipts.push({ roomId, userId, receiptType, eventId, threadId, ts })
  }
  return receipts
}

/** The receipts of one kind by user, of one event. */
type Readers = Map<string, Receipt>

/**
 * One `m.receipt` event as JSON per room: event id → kind → readers. Of two receipts of one user for one event, the one
 * without a thread is told.
 */
export function eventsOf(receipts: Iterable<Receipt>): Map<RoomId, string> {
  const rooms = new Map<RoomId, Map<string, Map<string, Readers>>>()
  for (const receipt of receipts) {
    const events = at(rooms, receipt.roomId, () => new Map<string, Map<string, Readers>>())
    const kinds = at(events, receipt.eventId, () => new Map<string, Readers>())
    const readers = at(kinds, receipt.receiptType, () => new Map<string, Receipt>())
    const other = readers.get(receipt.userId)
    if (other === undefined || other.threadId !== '') readers.set(receipt.userId, receipt)
  }
  return new Map([...rooms].map(([roomId, events]) => [roomId, eventJson(events)]))
}

function at<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const held = map.get(key)
  if (held !== undefined) return held
  const made = make()
  map.set(key, made)
  return made
}

function eventJson(events: ReadonlyMap<string, ReadonlyMap<string, Readers>>): string {
  const content = objectJson(events, (kinds) =>
    objectJson(kinds, (readers) =>
      objectJson(readers, ({ ts, threadId }) =>
        threadId === '' ? `{"ts":${ts}}` : `{"ts":${ts},"thread_id":${JSON.stringify(threadId)}}`,
      ),
    ),
  )
  return `{"type":"m.receipt","content":${content}}`
}

function objectJson<V>(map: ReadonlyMap<string, V>, render: (value: V) => string): string {
  return `{${[...map].map(([key, value]) => `${JSON.stringify(key)}:${render(value)}`).join(',')}}`
}
