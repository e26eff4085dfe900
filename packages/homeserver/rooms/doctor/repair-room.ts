import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import { judgeAnew, type Judgement } from '../judge/judge-anew.ts'
import { authIdsOf } from '../receive/auth-lookup.ts'
import { fetchAuthEvents } from '../receive/fetch-missing.ts'
import { loadAuthGraph } from '../state/auth-graph.ts'
import { roomEventOfRow, type RoomInfo } from '../stored-event.ts'
import type { Examination } from './examine-room.ts'
import { placeMissing, receiveFrom, type Received } from './place-missing.ts'
import { withPatience, type DoctorDeps } from './with-patience.ts'

/** What was done for a room. */
export interface Repair {
  /** Events that others sent us now, and what became of each: undefined where it was taken. */
  readonly received: ReadonlyMap<EventId, string | undefined>
  readonly judgement: Judgement | undefined
  /** Why the judging could not be done. */
  readonly obstacle: string | undefined
}

/** Refused events whose auth events are asked for. */
const MAX_AUTH_REQUESTS = 50
/** Refused events that are judged anew. */
const MAX_DOUBTS = 2_000

/**
 * Mends what an examination found, without anybody's word on state: events that we lack are received as if they were
 * sent to us now, where they have a place in our graph; events that were refused are judged anew once what permits them
 * is here; and the state of everything built on either follows from the graph. A server that lies can bring about
 * nothing by this that it could not by sending events.
 */
export async function repairRoom(
  deps: DoctorDeps,
  room: RoomInfo,
  examination: Examination,
): Promise<Repair> {
  const received: Received = new Map()
  await receiveNewest(deps, room, examination, received)
  const filled = await placeMissing(deps, room, examination, received)
  const doubts = await listDoubts(deps, room, examination)
  if (doubts.length === 0 && filled.events.length === 0)
    return { received, judgement: undefined, obstacle: undefined }
  try {
    const judgement = await judgeAnew(deps.engine, room, {
      events: [...doubts, ...filled.events, ...filled.behind],
      filled: filled.events,
    })
    return { received, judgement, obstacle: undefined }
  } catch (error) {
    if (!(error instanceof MatrixError)) throw error
    return { received, judgement: undefined, obstacle: error.message }
  }
}

/** Their newest events, and by way of these all that lies between: as if they had sent them. */
async function receiveNewest(
  deps: DoctorDeps,
  room: RoomInfo,
  { views }: Examination,
  received: Received,
): Promise<void> {
  for (const { server, newest, holdNewest } of views) {
    if (newest === undefined || holdNewest || received.has(newest)) continue
    await withPatience(deps, server, async (signal) => {
      const pdu = await deps.peers.getEvent(server, newest, signal)
      await receiveFrom(deps, room, server, [pdu], received, signal)
    })
  }
}

/** What is to be judged anew: what others have in the state and we hold, and what these rest on and we refused. */
async function listDoubts(deps: DoctorDeps, room: RoomInfo, { theirs }: Examination): Promise<EventId[]> {
  const { engine } = deps
  const rows = await findEventRows(engine.db, [...theirs.keys()])
  const own = rows.filter((row) => row.room_nid === room.roomNid)
  const refused = own.filter((row) => (row.flags & EventFlag.rejected) !== 0)
  for (const row of refused.slice(0, MAX_AUTH_REQUESTS)) {
    const event = roomEventOfRow(room, row)
    const { server } = theirs.get(event.eventId)!
    const wanted = authIdsOf(room.rules, event)
    await withPatience(deps, server, async (signal) => {
      await fetchAuthEvents(deps, { room, server, signal }, event.eventId, wanted)
    })
  }
  const graph = await loadAuthGraph(engine, room)
  const doubts = new Set(
    own
      .filter((row) => row.nid > 0 || (row.flags & EventFlag.rejected) !== 0)
      .map((row) => row.event_id as EventId),
  )
  // `doubts` grows as it is walked.
  for (const eventId of doubts) {
    if (doubts.size > MAX_DOUBTS) break
    for (const nid of graph.auth[graph.byId.get(eventId) ?? 0] ?? []) {
      if (graph.rejected.has(nid)) doubts.add(graph.ids[nid]!)
    }
  }
  return [...doubts]
}
