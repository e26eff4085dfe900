import type { EventId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { countBackwardExtremities } from '@causeway/store/tables/backward-extremities.ts'
import { countRefused } from '@causeway/store/tables/events.ts'
import { countInboundPdus } from '@causeway/store/tables/inbound-pdus.ts'
import { findRoomRow } from '@causeway/store/tables/rooms.ts'
import { readStoredExtremities } from '../head.ts'
import { findEvents } from '../read-events.ts'
import type { RoomInfo } from '../stored-event.ts'
import { askServer, type AskDeps, type OurPlace, type ServerView } from './ask-server.ts'
import { compareStates, type Comparison } from './compare-states.ts'
import type { Difference, RoomFinding, ServerFinding } from './finding.ts'
import type { KnownEvent } from './name-events.ts'

/** What was found, and by what it may be mended. */
export interface Examination {
  readonly finding: RoomFinding
  readonly views: readonly ServerView[]
  /** Events that others have in the state and we do not, each with a server that says so. */
  readonly theirs: ReadonlyMap<EventId, { readonly known: KnownEvent; readonly server: ServerName }>
}

/** Servers asked at the same time, */
const AT_ONCE = 3
/** and how long each may take. */
const PATIENCE_MS = 60_000
const MAX_DIFFERENCES = 500

/**
 * Looks at a room here and as other servers tell it, and writes nothing. What they say of state is a hint where to look
 * and never more: every event that is shown of theirs was verified.
 */
export async function examineRoom(
  deps: AskDeps,
  room: RoomInfo,
  servers: readonly ServerName[],
): Promise<Examination> {
  const { engine } = deps
  const row = await findRoomRow(engine.db, room.roomId)
  const { eventIds, root } = row === undefined ? { eventIds: [], root: 0 } : readStoredExtremities(row)
  const ends = [...(await findEvents(engine, eventIds)).values()].toSorted((a, b) => b.depth - a.depth)
  const place: OurPlace = { extremities: ends.map(({ eventId }) => eventId), root }
  const heard = await askAll(deps, room, servers, place)
  const refused = await countRefused(engine.db, room.roomNid)
  const { differences, leftOut } = mergeDifferences(heard)
  const finding: RoomFinding = {
    roomId: room.roomId,
    extremities: ends.map(({ eventId, sender, originServerTs, depth }) => ({
      eventId,
      sender,
      originServerTs,
      depth,
    })),
    gaps: await countBackwardExtremities(engine.db, room.roomNid),
    ...refused,
    waiting: await countInboundPdus(engine.db, room.roomId),
    servers: heard.map(serverFinding),
    differences,
    leftOut,
  }
  return { finding, views: heard.map(({ view }) => view), theirs: collectTheirs(heard) }
}

interface Heard {
  readonly view: ServerView
  readonly comparisons: readonly Comparison[]
}

async function askAll(
  deps: AskDeps,
  room: RoomInfo,
  servers: readonly ServerName[],
  place: OurPlace,
): Promise<Heard[]> {
  const heard = new Map<ServerName, Heard>()
  const next = servers.values()
  const lane = async (): Promise<void> => {
    for (const server of next) heard.set(server, await askOne(deps, room, server, place))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  return servers.map((server) => heard.get(server)!)
}

/** Never rejects for what the server does, and ends in time. */
async function askOne(deps: AskDeps, room: RoomInfo, server: ServerName, place: OurPlace): Promise<Heard> {
  const stop = new AbortController()
  const tooLong = new Error(`it took longer than ${PATIENCE_MS / 1000} s`)
  const timer = deps.engine.clock.setTimeout(() => stop.abort(tooLong), PATIENCE_MS, { unref: true })
  const view = await askServer(deps, room, server, place, stop.signal)
  try {
    const comparisons: Comparison[] = []
    for (const told of view.states) {
      comparisons.push(await compareStates(deps, room, server, told, stop.signal))
    }
    return { view, comparisons }
  } catch (error) {
    if (!stop.signal.aborted) throw error
    return { view: { ...view, failure: tooLong.message, states: [] }, comparisons: [] }
  } finally {
    timer.cancel()
  }
}

function serverFinding({ view, comparisons }: Heard): ServerFinding {
  const { server, failure, newest, holdNewest, states } = view
  const sum = (read: (comparison: Comparison) => number): number =>
    comparisons.reduce((total, comparison) => total + read(comparison), 0)
  return {
    server,
    failure,
    newest,
    holdNewest,
    comparedAt: states.map(({ at }) => at),
    onlyTheirs: sum(({ onlyTheirs }) => onlyTheirs),
    onlyOurs: sum(({ onlyOurs }) => onlyOurs),
  }
}

/** What several servers say alike is shown once. */
function mergeDifferences(heard: readonly Heard[]): Pick<RoomFinding, 'differences' | 'leftOut'> {
  const merged = new Map<string, Difference>()
  let leftOut = 0
  for (const { comparisons } of heard) {
    for (const comparison of comparisons) {
      leftOut += comparison.leftOut
      for (const difference of comparison.differences) {
        const { type, stateKey, ours, theirs, why } = difference
        const key = JSON.stringify([type, stateKey, ours?.eventId, theirs?.eventId, why])
        const before = merged.get(key)
        const servers = new Set([...(before?.servers ?? []), ...difference.servers])
        merged.set(key, { ...(before ?? difference), servers: [...servers] })
      }
    }
  }
  const all = [...merged.values()]
  return {
    differences: all.slice(0, MAX_DIFFERENCES),
    leftOut: leftOut + Math.max(0, all.length - MAX_DIFFERENCES),
  }
}

function collectTheirs(heard: readonly Heard[]): Map<EventId, { known: KnownEvent; server: ServerName }> {
  const theirs = new Map<EventId, { known: KnownEvent; server: ServerName }>()
  for (const { view, comparisons } of heard) {
    for (const known of comparisons.flatMap((comparison) => comparison.theirs)) {
      const before = theirs.get(known.eventId)?.known
      // One server may give what another withholds.
      if (before !== undefined && (before.event !== undefined || known.event === undefined)) continue
      theirs.set(known.eventId, { known, server: view.server })
    }
  }
  return theirs
}
