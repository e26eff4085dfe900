import type { EventId } from '@causeway/matrix/ids/ids.ts'
import type { VerifiedPdu } from './verify-pdus.ts'

/**
 * Events so that each comes after those of them that it points at; among equals the order given. Linear; a cycle,
 * which only ids of room versions 1 and 2 can form, is broken somewhere.
 */
export function parentsFirst(pdus: readonly VerifiedPdu[]): VerifiedPdu[] {
  const byId = new Map<EventId, VerifiedPdu>()
  for (const pdu of pdus) if (!byId.has(pdu.event.eventId)) byId.set(pdu.event.eventId, pdu)
  const sorted: VerifiedPdu[] = []
  const seen = new Set<EventId>()
  for (const start of byId.values()) {
    const stack = [start]
    while (stack.length > 0) {
      const top = stack.at(-1)!
      const next = seen.has(top.event.eventId) ? undefined : unseenParent(top, byId, seen, stack)
      if (next !== undefined) {
        stack.push(next)
        continue
      }
      stack.pop()
      if (seen.has(top.event.eventId)) continue
      seen.add(top.event.eventId)
      sorted.push(top)
    }
  }
  return sorted
}

function unseenParent(
  { event }: VerifiedPdu,
  byId: ReadonlyMap<EventId, VerifiedPdu>,
  seen: ReadonlySet<EventId>,
  stack: readonly VerifiedPdu[],
): VerifiedPdu | undefined {
  for (const id of [...event.prevEventIds, ...event.authEventIds]) {
    const parent = byId.get(id)
    if (parent !== undefined && !seen.has(id) && !stack.includes(parent)) return parent
  }
  return undefined
}
