import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { RoomEngine } from '../engine.ts'
import { findRoom } from '../load-head.ts'
import { requireAllowedByAcl } from '../history/require-server.ts'
import { childrenOf } from './children.ts'
import { isVisibleToServer } from './summary-access.ts'
import { summarizeRoom, type RoomSummary } from './summary.ts'

/** Children that one answer describes, as with Synapse. */
const MAX_CHILDREN = 50

/**
 * A room and its children for another server. @throws M_NOT_FOUND when we are not in the room, or the server may not be
 * told of it. https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1hierarchyroomid
 */
export async function serveHierarchy(
  engine: RoomEngine,
  origin: ServerName,
  roomId: RoomId,
  suggestedOnly: boolean,
): Promise<JsonObject> {
  const room = await summarizeRoom(engine, roomId)
  if (room === undefined || !(await isVisibleToServer(engine, origin, room))) {
    throw notFound('This server can tell you nothing of this room')
  }
  await requireAllowedByAcl(engine, (await findRoom(engine, roomId))!, origin)
  const children: JsonObject[] = []
  const inaccessible: RoomId[] = []
  const links = childrenOf(room.childrenState).filter(({ suggested }) => suggested || !suggestedOnly)
  for (const { roomId: childId } of links.slice(0, MAX_CHILDREN)) {
    const child = await summarizeRoom(engine, childId)
    if (child === undefined) continue
    if (await isVisibleToServer(engine, origin, child)) children.push(forServer(child))
    else inaccessible.push(childId)
  }
  return { room: forServer(room), children, inaccessible_children: inaccessible }
}

function forServer({ shown, allowedRoomIds, childrenState }: RoomSummary): JsonObject {
  return { ...shown, allowed_room_ids: [...allowedRoomIds], children_state: [...childrenState] }
}
