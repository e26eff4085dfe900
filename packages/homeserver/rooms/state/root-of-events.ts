import type { EventId } from '@causeway/matrix/ids/ids.ts'
import type { StateChange } from '@causeway/store/state/apply.ts'
import { listState } from '@causeway/store/state/tree.ts'
import { readerOf, readStateEntries } from '../current-state.ts'
import type { RoomEngine } from '../engine.ts'
import { changeRoot, internKey, type RoomWrite } from '../room-write.ts'
import { writerAuthGraph } from './auth-graph.ts'

/**
 * A state made of events that are held, as a root that shares all it can with the room's current state. Events that
 * are not held, or were rejected, are left out: the state is somebody's word, and as much of it counts as stands up
 * by itself. Costs the size of the state in numbers, and the difference in events. Only inside the room's queue.
 */
export async function rootOfEvents(
  engine: RoomEngine,
  write: RoomWrite,
  eventIds: readonly EventId[],
): Promise<number> {
  const { head } = write
  const graph = await writerAuthGraph(engine, head)
  const nids = eventIds.flatMap((id) => {
    const nid = graph.nidOf(id)
    return nid === undefined || graph.isRejected(nid) ? [] : [nid]
  })
  const wanted = new Set(nids)
  const changes = new Map<number, number | undefined>()
  for await (const items of listState(head.nodes, head.roomNid, write.stateRoot)) {
    for (const [keyNid, nid] of items) if (!wanted.delete(nid)) changes.set(keyNid, undefined)
  }
  // Of two events for one key the later in the list counts, so the last one is looked at in any case.
  const rest = [...wanted, ...nids.slice(-1)]
  const entries = await readStateEntries(readerOf(engine, head), head, rest)
  for (const nid of rest) {
    const { stored } = entries.get(nid)!
    changes.set(await internKey(write, stored.type, stored.stateKey!), nid)
  }
  return changeRoot(write, write.stateRoot, [...changes] as StateChange[])
}
