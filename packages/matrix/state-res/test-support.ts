/** What the tests of state resolution share: sources over a test room, and tools. */
import { createHash } from 'node:crypto'
import type { RoomEvent } from '../events/pdu.ts'
import type { EventId } from '../ids/ids.ts'
import type { EventSource } from './event-source.ts'
import type { ResolveTools } from './state-difference.ts'

export const TOOLS: ResolveTools = {
  verifySignature: () => false,
  sha1: (text) => createHash('sha1').update(text).digest('hex'),
}

/** A source over events in memory. Counts its calls. */
export function sourceOf(
  events: ReadonlyMap<EventId, RoomEvent>,
  rejected: ReadonlySet<EventId> = new Set(),
): EventSource & { calls: number } {
  const source = {
    calls: 0,
    async getEvents(ids: readonly EventId[]) {
      source.calls++
      return new Map(ids.filter((id) => events.has(id)).map((id) => [id, events.get(id)!]))
    },
    async getRejected(ids: readonly EventId[]) {
      return new Set(ids.filter((id) => rejected.has(id)))
    },
  }
  return source
}

/** The same with auth edges, answering the edges of the whole room at once. */
export function sourceWithEdgesOf(
  events: ReadonlyMap<EventId, RoomEvent>,
  rejected: ReadonlySet<EventId> = new Set(),
): EventSource & { loaded: Set<EventId> } {
  const plain = sourceOf(events, rejected)
  const loaded = new Set<EventId>()
  return {
    ...plain,
    loaded,
    async getEvents(ids) {
      for (const id of ids) loaded.add(id)
      return plain.getEvents(ids)
    },
    async getAuthEdges() {
      return new Map([...events].map(([id, event]) => [id, event.authEventIds]))
    },
  }
}
