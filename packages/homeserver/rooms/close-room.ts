import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { PURGE_STAGES, purgePortion, type PurgedRoom } from '@causeway/store/erasure/statements.ts'
import { renameForPurge, requireNobodyLocal } from '@causeway/store/tables/purged-rooms.ts'
import type { RoomEngine } from './engine.ts'
import { findHead } from './load-head.ts'

/** Rows of each table that go with the room's name. */
const WITH_NAME = 1_000

/** What goes by the room's id goes first: the id may come back for another room. And what directories show. */
const FIRST = PURGE_STAGES.filter(
  ({ table, rule }) => rule.by === 'room_id' || table.endsWith('published_rooms'),
)

/** `occupied`: somebody of this server is in it. `unknown`: there is no such room (any more). */
export type CloseResult = PurgedRoom | 'occupied' | 'unknown'

const ATTEMPTS = 5

/**
 * Takes a room out of use for good, in one write: from then on it is unknown to whoever asks for it by its id,
 * nobody writes to it, and its rows can go. Only when nobody of this server is joined to it.
 * @param note goes into the same write: who remembers that the rows are still to be deleted
 */
export async function closeRoom(
  engine: RoomEngine,
  roomId: RoomId,
  note: (room: PurgedRoom) => readonly Step[],
): Promise<CloseResult> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const result = await engine.queue.serial(roomId, () => tryToClose(engine, roomId, note))
    if (result !== 'stale') return result
  }
  throw new Error(`The room ${roomId} is too busy to be purged`)
}

/** Inside the room's queue, until the write is durable: nobody builds on a head that ends here. */
async function tryToClose(
  engine: RoomEngine,
  roomId: RoomId,
  note: (room: PurgedRoom) => readonly Step[],
): Promise<CloseResult | 'stale'> {
  const head = await findHead(engine, roomId)
  if (head === undefined) return 'unknown'
  const { roomNid, version } = head
  const room = { roomNid, roomId }
  const result = await engine.log.append({
    entries: [{ kind: 'purge', position: 0, roomId, roomNid }],
    steps: [
      requireNobodyLocal(roomNid),
      renameForPurge(roomNid, version),
      ...FIRST.flatMap((stage) => purgePortion(stage, room, WITH_NAME)),
      ...note(room),
    ],
  })
  if (result.ok) return room
  if (result.step === 0) return 'occupied'
  engine.heads.delete(roomId)
  engine.busyHeads.delete(roomId)
  return 'stale'
}
