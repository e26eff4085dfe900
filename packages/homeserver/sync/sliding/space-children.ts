import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { findNewestRoot } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from '../../rooms/engine.ts'
import { getRoomByNid } from '../../rooms/load-head.ts'
import type { UserRooms } from '../../rooms/membership-index.ts'
import { readLinks } from '../../rooms/space/summary.ts'

/**
 * Rooms that spaces name as their children; spaces that the user is not in count for nothing, and children of children
 * are not looked for. https://spec.matrix.org/v1.19/client-server-api/#mspacechild
 */
export async function childrenOfSpaces(
  engine: RoomEngine,
  rooms: UserRooms,
  spaces: ReadonlySet<RoomId>,
): Promise<ReadonlySet<string>> {
  const children = new Set<string>()
  for (const roomId of spaces) {
    if (!rooms.joined.has(roomId)) continue
    const room = await getRoomByNid(engine, rooms.byId.get(roomId)!.roomNid)
    const root = await findNewestRoot(engine.db, room.roomNid)
    if (root === undefined) continue
    for (const link of await readLinks(engine, room, root)) children.add(link['state_key'] as string)
  }
  return children
}
