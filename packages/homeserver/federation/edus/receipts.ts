// https://spec.matrix.org/v1.19/server-server-api/#receipts
import { Type, type Static } from 'typebox'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { isRoomId } from '@causeway/matrix/ids/room-id.ts'
import { isUserId, serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { listJoinedRoomsOf } from '@causeway/store/tables/device-lists.ts'
import { mapOf } from '../../client/key-schemas.ts'
import { receiveReceipts, type ReceivedReceipt } from '../../user-data/receive-receipts.ts'
import { defineEdu, type EduContext } from './edu-handler.ts'

/** Of one transaction. */
const MAX_RECEIPTS = 2_000

const Receipt = Type.Object({
  event_ids: Type.Array(Type.String({ maxLength: 255 }), { minItems: 1, maxItems: 100 }),
  data: Type.Optional(
    Type.Object({
      ts: Type.Optional(Type.Number()),
      thread_id: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
    }),
  ),
})

/** Other kinds of receipts are nobody's business but their owner's. */
const Content = mapOf(Type.Object({ 'm.read': Type.Optional(mapOf(Receipt, MAX_RECEIPTS)) }), MAX_RECEIPTS)

interface Named {
  readonly roomId: RoomId
  readonly userId: UserId
  readonly receipt: Static<typeof Receipt>
}

/** A few queries, and one write for all of them. */
export const receipts = defineEdu(Content, async (context, contents) => {
  const { hs, refuse } = context
  const all = contents.flatMap(readContent)
  const own = all.filter(({ userId }) => serverNameOf(userId) === context.origin).slice(0, MAX_RECEIPTS)
  const allowed = await inTheirRooms(context, own)
  refuse(all.length - allowed.length)
  await receiveReceipts(hs, allowed)
})

function readContent(content: Static<typeof Content>): Named[] {
  const found: Named[] = []
  for (const [roomId, kinds] of Object.entries(content)) {
    for (const [userId, receipt] of Object.entries(kinds['m.read'] ?? {})) {
      if (isRoomId(roomId) && isUserId(userId)) found.push({ roomId, userId, receipt })
    }
  }
  return found
}

/** Those of users who are joined to the room, where the sender may be heard. */
async function inTheirRooms({ hs, gate }: EduContext, named: readonly Named[]): Promise<ReceivedReceipt[]> {
  const nids = new Map<RoomId, number>()
  for (const roomId of new Set(named.map((one) => one.roomId))) {
    const room = await gate.find(roomId)
    if (room !== undefined) nids.set(roomId, room.roomNid)
  }
  const userIds = [...new Set(named.map((one) => one.userId))]
  const rows = nids.size === 0 ? [] : await listJoinedRoomsOf(hs.db, userIds, [...nids.values()])
  const joined = new Set(rows.map((row) => `${row.user_id} ${row.room_nid}`))
  for (const { roomId, userId } of named) {
    const roomNid = nids.get(roomId)
    if (roomNid === undefined || hs.rooms.partial.find(roomNid) === undefined) continue
    if ((await gate.open(roomId, userId)) !== undefined) joined.add(`${userId} ${roomNid}`)
  }
  return named
    .filter(({ roomId, userId }) => joined.has(`${userId} ${nids.get(roomId)}`))
    .map(({ roomId, userId, receipt }) => ({
      roomId,
      roomNid: nids.get(roomId)!,
      userId,
      eventId: receipt.event_ids.at(-1)! as EventId,
      threadId: receipt.data?.thread_id,
      ts: receipt.data?.ts ?? hs.clock.now(),
    }))
}
