import { toRoomEvent } from '@causeway/matrix/events/make-room-event.ts'
import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { EventId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { findEventRows, listHistoryRows } from '@causeway/store/tables/events.ts'
import { sha256 } from '../../../crypto/sha256.ts'
import { BEGINNING } from '../../read-events.ts'
import { checkReceived } from '../../receive/verify-pdus.ts'
import { loadAuthGraph } from '../../state/auth-graph.ts'
import { roomEventOfRow, type RoomInfo } from '../../stored-event.ts'
import { withPatience, type DoctorDeps } from '../with-patience.ts'
import type { RoomBeginning } from './find-beginning.ts'

/** Events of our own history that are looked at, */
const MAX_HELD = 2_000
/** requests to others for what lies before it, */
const MAX_REQUESTS = 30
/** events of one answer, */
const AT_ONCE = 100
/** and ids named in a request. */
const MAX_NAMED = 20

/**
 * Which of some events are older than our join for sure: it descends from them by way of events each of which names the
 * one before by its hash, so that nobody can have put them there afterwards. Asks servers for the history before our
 * join, a bounded stretch of it, and believes of it only the hashes. Those of rooms of versions 1 and 2, where ids are no
 * hashes, are never proved.
 */
export async function proveOlder(
  deps: DoctorDeps,
  room: RoomInfo,
  { join }: RoomBeginning,
  wanted: ReadonlySet<EventId>,
  servers: readonly ServerName[],
): Promise<Set<EventId>> {
  if (wanted.size === 0 || room.rules.referencePairs) return new Set()
  const walk = await beginWalk(deps, room, join)
  await addAuthChains(deps, room, walk)
  const isDone = (): boolean => wanted.isSubsetOf(walk.proven)
  const helpful = [...servers]
  for (let request = 0; !isDone() && helpful.length > 0 && request < MAX_REQUESTS; request++) {
    const server = helpful[0]!
    const ends = [...walk.ends].slice(0, MAX_NAMED)
    if (ends.length === 0) break
    const pdus = await withPatience(deps, server, (signal) =>
      deps.peers.backfill(server, room.roomId, ends, AT_ONCE, signal),
    )
    const before = walk.proven.size
    for (const pdu of (pdus ?? []).slice(0, AT_ONCE)) give(walk, room, pdu)
    advance(walk)
    if (walk.proven.size === before) helpful.shift()
    await addAuthChains(deps, room, walk)
  }
  return walk.proven.intersection(wanted)
}

interface Walk {
  /** Events that our join descends from. */
  readonly proven: Set<EventId>
  /** Those of them whose own parents are not known yet. */
  readonly ends: Set<EventId>
  /** Those whose parents are known. */
  readonly passed: Set<EventId>
  /** What was given, by the hash that is its id. */
  readonly given: Map<EventId, RoomEvent>
}

async function beginWalk({ engine }: DoctorDeps, room: RoomInfo, join: RoomEvent): Promise<Walk> {
  const [row] = await findEventRows(engine.db, [join.eventId])
  const place = { depth: row?.depth ?? 0, nid: row?.nid ?? 0 }
  const given = new Map<EventId, RoomEvent>()
  const range = { after: { depth: BEGINNING, nid: BEGINNING }, before: place, arrivedBefore: place.nid }
  const held = await listHistoryRows(engine.db, room.roomNid, {
    ...range,
    ...{ backwards: true, limit: MAX_HELD, without: EventFlag.outlier },
  })
  for (const one of held) {
    const event = roomEventOfRow(room, one)
    given.set(event.eventId, event)
  }
  const parents = [...join.prevEventIds, ...join.authEventIds]
  const walk = {
    proven: new Set(parents),
    ends: new Set(join.prevEventIds),
    passed: new Set<EventId>(),
    given,
  }
  advance(walk)
  return walk
}

function give({ given }: Walk, room: RoomInfo, pdu: unknown): void {
  const checked = checkReceived(room, pdu)
  if (!checked.ok) return
  const event = toRoomEvent(room.rules, checked.pdu, sha256)
  given.set(event.eventId, event)
}

/** Goes on from where it ended, as far as what was given leads. */
function advance({ proven, ends, passed, given }: Walk): void {
  // Ends that are added are walked, too.
  for (const id of ends) {
    const event = given.get(id)
    if (event === undefined) continue
    ends.delete(id)
    given.delete(id)
    passed.add(id)
    for (const auth of event.authEventIds) proven.add(auth)
    for (const prev of event.prevEventIds) {
      proven.add(prev)
      if (!passed.has(prev)) ends.add(prev)
    }
  }
}

/** What an event cites is older than the event. */
async function addAuthChains({ engine }: DoctorDeps, room: RoomInfo, { proven }: Walk): Promise<void> {
  const graph = await loadAuthGraph(engine, room)
  // It grows as it is walked.
  for (const id of proven) {
    const nid = graph.byId.get(id)
    for (const auth of nid === undefined ? [] : (graph.auth[nid] ?? [])) {
      const authId = graph.ids[auth]
      if (authId !== undefined) proven.add(authId)
    }
  }
}
