import type { EventId } from '@causeway/matrix/ids/ids.ts'
import type { VerifiedPdu } from '../receive/verify-pdus.ts'

/** Events that lead back from a gap, the newest first: every event comes after all its children among them. */
export interface OrderedBatch {
  readonly pdus: readonly VerifiedPdu[]
  /** Those that point at events which are neither in the batch nor in the graph: where the next gap will be. */
  readonly edges: readonly VerifiedPdu[]
}

/**
 * Orders what another server sent for a gap. Only what can be reached from the gap's events is kept: a stranger cannot
 * put other events into our history. Events in a cycle (only possible where ids are made up) are left out, and so is
 * all that is reached through them only. O(events and edges).
 * @param gap events that ours point at and that we lack
 * @param isHeld whether an event is part of the graph already
 */
export function orderBatch(
  pdus: readonly VerifiedPdu[],
  gap: readonly EventId[],
  isHeld: (eventId: EventId) => boolean,
): OrderedBatch {
  const byId = new Map(pdus.map((pdu) => [pdu.event.eventId, pdu]))
  const reached = reach(byId, gap, isHeld)
  const childrenLeft = countChildren(byId, reached)
  const ready = [...reached].filter((eventId) => childrenLeft.get(eventId) === undefined)
  const ordered: VerifiedPdu[] = []
  for (let at = 0; at < ready.length; at++) {
    const pdu = byId.get(ready[at]!)!
    ordered.push(pdu)
    for (const parent of new Set(pdu.event.prevEventIds)) {
      const left = childrenLeft.get(parent)
      if (left === undefined) continue
      childrenLeft.set(parent, left - 1)
      if (left === 1) ready.push(parent)
    }
  }
  const taken = new Set(ordered.map(({ event }) => event.eventId))
  const isOpen = (id: EventId): boolean => !taken.has(id) && !isHeld(id)
  return { pdus: ordered, edges: ordered.filter(({ event }) => event.prevEventIds.some(isOpen)) }
}

function reach(
  byId: ReadonlyMap<EventId, VerifiedPdu>,
  gap: readonly EventId[],
  isHeld: (eventId: EventId) => boolean,
): Set<EventId> {
  const reached = new Set<EventId>()
  const stack = [...gap]
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    const pdu = byId.get(id)
    if (pdu === undefined || reached.has(id) || isHeld(id)) continue
    reached.add(id)
    stack.push(...pdu.event.prevEventIds)
  }
  return reached
}

/** For each event how many of those that are reached point at it; absent: none. */
function countChildren(
  byId: ReadonlyMap<EventId, VerifiedPdu>,
  reached: ReadonlySet<EventId>,
): Map<EventId, number> {
  const counts = new Map<EventId, number>()
  for (const id of reached) {
    for (const parent of new Set(byId.get(id)!.event.prevEventIds)) {
      if (reached.has(parent)) counts.set(parent, (counts.get(parent) ?? 0) + 1)
    }
  }
  return counts
}
