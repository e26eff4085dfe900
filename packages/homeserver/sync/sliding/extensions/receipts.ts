import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { listReceipts, listReceiptsForEvents } from '@causeway/store/tables/receipts.ts'
import { eventsOf, receiptOf, type Receipt } from '../../streams/receipts.ts'
import type { SlidingContext } from '../context.ts'
import { roomsJson, type ExtensionResult } from './extension.ts'
import type { AnsweredRooms, ScopedRooms } from './scope.ts'

/**
 * How far people have read: of rooms that are new to the client their own receipts and those of events in the timeline,
 * else what changed. Private ones are for their owner only.
 * https://github.com/matrix-org/matrix-spec-proposals/pull/3960
 */
export async function readReceipts(
  ctx: SlidingContext,
  answered: AnsweredRooms,
  scoped: ScopedRooms,
): Promise<ExtensionResult> {
  const receipts = new Map<string, Receipt>()
  const add = (receipt: Receipt): void => {
    const { roomId, userId, receiptType, threadId } = receipt
    receipts.set(JSON.stringify([roomId, userId, receiptType, threadId]), receipt)
  }
  const found = [
    await readFresh(ctx, answered, scoped),
    await readBehind(ctx, scoped),
    await readLive(ctx, scoped),
  ]
  for (const receipt of found.flat()) add(receipt)
  const rooms = eventsOf(receipts.values())
  return { text: `{"rooms":${roomsJson(rooms)}}`, isNews: rooms.size > 0 }
}

async function readFresh(
  { hs, session, now }: SlidingContext,
  { results }: AnsweredRooms,
  { fresh }: ScopedRooms,
): Promise<Receipt[]> {
  if (fresh.length === 0) return []
  const names = new Map(fresh.map(({ roomNid, roomId }) => [roomNid, roomId]))
  const eventIds = fresh.flatMap(({ roomId }) => results.get(roomId)?.eventIds ?? [])
  const rows = await listReceiptsForEvents(hs.db, session.userId, [...names.keys()], eventIds, now.position)
  return rows.map((row) => receiptOf(names.get(row.room_nid)!, row))
}

async function readBehind({ hs, session, now }: SlidingContext, { behind }: ScopedRooms): Promise<Receipt[]> {
  const due = behind.filter(({ room, until }) => hs.log.changes.receipt.mayHaveChanged(room.roomId, until))
  const found: Receipt[] = []
  for (const { room, until } of due) {
    const rows = await listReceipts(hs.db, session.userId, [room.roomNid], until, now.position)
    found.push(...rows.map((row) => receiptOf(room.roomId, row)))
  }
  return found
}

async function readLive(
  { hs, session, since, now, entries }: SlidingContext,
  { live }: ScopedRooms,
): Promise<Receipt[]> {
  if (since === undefined || live.size === 0) return []
  if (entries === undefined) {
    const names = new Map<number, RoomId>()
    for (const { roomNid, roomId } of live.values())
      if (hs.log.changes.receipt.mayHaveChanged(roomId, since.position)) names.set(roomNid, roomId)
    if (names.size === 0) return []
    const rows = await listReceipts(hs.db, session.userId, [...names.keys()], since.position, now.position)
    return rows.map((row) => receiptOf(names.get(row.room_nid)!, row))
  }
  const found: Receipt[] = []
  for (const entry of entries) {
    if (entry.kind !== 'receipt' || !live.has(entry.roomId)) continue
    const { roomId, userId, receiptType, eventId, threadId = '', ts } = entry
    if (receiptType === 'm.read.private' && userId !== session.userId) continue
    found.push({ roomId, userId, receiptType, eventId, threadId, ts })
  }
  return found
}
