import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import { createKeyOverlay } from '@causeway/store/state/keys.ts'
import { createNodeOverlay } from '@causeway/store/state/node-source.ts'
import type { RoomEngine } from '../engine.ts'
import type { RoomHead } from '../head.ts'

/** The head of a room that we hold nothing of yet: without events and state. Only inside the room's queue. */
export function newHead(engine: RoomEngine, roomId: RoomId, rules: RoomVersionRules): RoomHead {
  const roomNid = engine.allocateRoomNid()
  return {
    roomId,
    roomNid,
    rules,
    version: 0,
    extremities: [],
    stateRoot: 0,
    // Node and event number 0 mean "none".
    next: { node: 1, key: 0, event: 1 },
    state: new Map(),
    entries: new Map(),
    pending: new Map(),
    lost: false,
    nodes: createNodeOverlay(engine.nodes, roomNid),
    keys: createKeyOverlay(engine.keys, roomNid),
  }
}
