import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { listHistoryRows } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from '../engine.ts'
import { HISTORY_END } from '../history/read-history.ts'
import { BEGINNING, END } from '../read-events.ts'
import { placeOfRow, roomEventOfRow, type EventPlace, type RoomInfo } from '../stored-event.ts'

/** An event of the graph without what it says: what a walk over many of them needs. */
export interface GraphEvent extends EventPlace {
  readonly eventId: EventId
  readonly prevs: readonly EventId[]
  readonly auths: readonly EventId[]
}

/** Events that are walked over at most: 500 bytes each, and a millisecond each where their state has to be found anew. */
export const MAX_STRETCH = 20_000
const PORTION = 500

/**
 * Every event of a room's graph from a depth on, refused ones too, parents before children.
 * @throws MatrixError M_TOO_LARGE when there are more than `MAX_STRETCH`
 */
export async function loadStretch(
  engine: RoomEngine,
  room: RoomInfo,
  fromDepth: number,
): Promise<GraphEvent[]> {
  const events: GraphEvent[] = []
  let after = { depth: fromDepth, nid: BEGINNING }
  for (;;) {
    const range = { after, before: HISTORY_END, arrivedBefore: END, backwards: false, limit: PORTION }
    const rows = await listHistoryRows(engine.db, room.roomNid, { ...range, without: EventFlag.outlier })
    for (const row of rows) {
      const { eventId, prevEventIds, authEventIds } = roomEventOfRow(room, row)
      events.push({ ...placeOfRow(row), eventId, prevs: prevEventIds, auths: authEventIds })
    }
    if (events.length > MAX_STRETCH) throw tooMany(room)
    const last = rows.at(-1)
    if (last === undefined || rows.length < PORTION) return inOrder(events)
    after = { depth: last.depth, nid: last.nid }
  }
}

function tooMany({ roomId }: RoomInfo): MatrixError {
  const sentence = `What would have to be judged anew in ${roomId} lies more than ${MAX_STRETCH} events back`
  return new MatrixError('M_TOO_LARGE', sentence)
}

/** They are in the order of depths, which is that of the graph but where a gap was filled later. */
function inOrder(events: readonly GraphEvent[]): GraphEvent[] {
  const waiting = new Map(events.map((event) => [event.eventId, event]))
  const sorted: GraphEvent[] = []
  for (const start of events) {
    const stack = [start]
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const next = waiting.has(top.eventId) ? parentOf(top, waiting, stack) : undefined
      if (next !== undefined) {
        stack.push(next)
        continue
      }
      stack.pop()
      if (waiting.delete(top.eventId)) sorted.push(top)
    }
  }
  return sorted
}

function parentOf(
  { prevs }: GraphEvent,
  waiting: ReadonlyMap<EventId, GraphEvent>,
  stack: readonly GraphEvent[],
): GraphEvent | undefined {
  for (const id of prevs) {
    const parent = waiting.get(id)
    if (parent !== undefined && !stack.includes(parent)) return parent
  }
  return undefined
}
