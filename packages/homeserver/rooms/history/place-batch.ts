import type { EventId } from '@causeway/matrix/ids/ids.ts'
import type { BackwardExtremityRow } from '@causeway/store/tables/backward-extremities.ts'
import { findDepthBelow } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from '../engine.ts'
import { findEventsByNid } from '../read-events.ts'
import type { VerifiedPdu } from '../receive/verify-pdus.ts'
import type { RoomWrite } from '../room-write.ts'

/** Where an event stands in the order of the graph, and what its child says of the state before it. */
export interface GraphDepth {
  readonly depth: number
  /** Root of the state before the event that it was reached from. */
  readonly inherited: number
}

/**
 * Depths of events that fill gaps, given the newest first: one less than the least deep child, but not below what
 * stands on the other side of the gap, where we hold that; of equal depth the greater number is newer, and numbers
 * fall as one goes back, so that an event never stands above its child.
 */
export async function placeBatch(
  engine: RoomEngine,
  write: RoomWrite,
  gaps: ReadonlyMap<string, BackwardExtremityRow>,
  pdus: readonly VerifiedPdu[],
): Promise<Map<EventId, GraphDepth>> {
  const rows = [...gaps.values()]
  const children = await findEventsByNid(
    engine,
    rows.map((gap) => gap.child_nid),
  )
  const floor = await otherSide(engine, write, rows)
  const limits = new Map<EventId, GraphDepth>()
  const limit = (id: EventId, depth: number, inherited: number): void => {
    const known = limits.get(id)
    if (known === undefined) limits.set(id, { depth, inherited })
    else if (depth < known.depth) limits.set(id, { ...known, depth })
  }
  for (const [id, gap] of gaps) {
    const inherited = children.get(gap.child_nid)?.stateBefore ?? write.head.stateRoot
    limit(id as EventId, gap.child_depth, inherited)
  }
  const places = new Map<EventId, GraphDepth>()
  for (const { event } of pdus) {
    const child = limits.get(event.eventId)
    if (child === undefined) throw new Error(`${event.eventId} fills no gap`)
    const depth = Math.min(child.depth, Math.max(child.depth - 1, floor))
    places.set(event.eventId, { depth, inherited: child.inherited })
    for (const parent of event.prevEventIds) limit(parent, depth, child.inherited)
  }
  return places
}

/** The least depth above what came by the log before the gap; below everything when nothing did. */
async function otherSide(
  engine: RoomEngine,
  { head }: RoomWrite,
  gaps: readonly BackwardExtremityRow[],
): Promise<number> {
  const deepest = Math.max(...gaps.map((gap) => gap.child_depth))
  const below = await findDepthBelow(engine.db, head.roomNid, deepest)
  return below === undefined ? Number.NEGATIVE_INFINITY : below + 1
}
