import { createEventIdOf } from '@causeway/matrix/ids/room-id.ts'
import type { RoomAuthGraph } from '../state/auth-graph.ts'
import type { RoomInfo } from '../stored-event.ts'

/**
 * Numbers of all that permits some state events of a room, and of what permits that, without those it starts from
 * unless they are reached. Walks numbers, reads no event. In room versions whose events do not list the create
 * event it is part of every chain all the same.
 */
export function walkAuthChain(room: RoomInfo, graph: RoomAuthGraph, from: Iterable<number>): number[] {
  const seen = new Set<number>()
  const stack = [...from]
  const create = room.rules.roomIdIsCreateHash ? graph.byId.get(createEventIdOf(room.roomId)) : undefined
  const start = new Set(stack)
  for (let nid = stack.pop(); nid !== undefined; nid = stack.pop()) {
    for (const authNid of graph.auth[nid] ?? []) {
      if (seen.has(authNid)) continue
      seen.add(authNid)
      stack.push(authNid)
    }
  }
  if (create !== undefined && !(start.size === 1 && start.has(create))) seen.add(create)
  return [...seen]
}
