import type { EventId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from '../engine.ts'
import { isOutage } from '../peers/is-outage.ts'
import type { RoomPeers } from '../peers/room-peers.ts'
import { BEGINNING, END, listTimeline } from '../read-events.ts'
import type { RoomInfo } from '../stored-event.ts'

/** The state before an event, as a server tells it. */
export interface ToldState {
  readonly at: EventId
  /** Root of our state there; of our current state where we do not hold the event. */
  readonly root: number
  readonly ids: readonly EventId[]
}

/** What a server says of a room. Its word only. */
export interface ServerView {
  readonly server: ServerName
  readonly failure: string | undefined
  readonly newest: EventId | undefined
  readonly holdNewest: boolean
  readonly states: readonly ToldState[]
}

export interface AskDeps {
  readonly engine: RoomEngine
  readonly peers: RoomPeers
}

/** Newest events of ours among which one is looked for that the server sent itself. */
const LOOKED_AT = 200
/** Events at which the state is asked for before it is said that there is no common one. */
const MAX_POINTS = 5
/** Longest state that is compared. */
const MAX_STATE = 500_000

/** Where we stand: what is asked about. */
export interface OurPlace {
  readonly extremities: readonly EventId[]
  readonly root: number
}

/**
 * Asks a server for its newest event and for the state at an event that both hold; and at its newest one, where we do
 * not hold that. Never rejects for what the server does.
 */
export async function askServer(
  deps: AskDeps,
  room: RoomInfo,
  server: ServerName,
  place: OurPlace,
  signal: AbortSignal,
): Promise<ServerView> {
  const none = { server, newest: undefined, holdNewest: false, states: [] }
  try {
    const newest = await findNewest(deps, room, server, signal)
    const rowOfNewest = newest === undefined ? undefined : await findPlaced(deps, room, newest)
    const states: ToldState[] = []
    const common = await findCommon(
      deps,
      room,
      server,
      [...place.extremities, ...listOf(rowOfNewest && newest)],
      signal,
    )
    if (common !== undefined) states.push(common)
    if (newest !== undefined && rowOfNewest === undefined) {
      const { pduIds } = await deps.peers.getStateIds(server, room.roomId, newest, signal)
      states.push({ at: newest, root: place.root, ids: pduIds.slice(0, MAX_STATE) })
    }
    const failure = states.length === 0 ? 'it holds none of our newest events' : undefined
    return { server, failure, newest, holdNewest: rowOfNewest !== undefined, states }
  } catch (error) {
    return { ...none, failure: error instanceof Error ? error.message : String(error) }
  }
}

const listOf = <T>(value: T | undefined): T[] => (value === undefined ? [] : [value])

/** Servers that cannot say by time which their newest event is are asked at ours only. */
async function findNewest(
  { engine, peers }: AskDeps,
  room: RoomInfo,
  server: ServerName,
  signal: AbortSignal,
): Promise<EventId | undefined> {
  try {
    return await peers.findEventBefore(server, room.roomId, engine.clock.now(), signal)
  } catch (error) {
    signal.throwIfAborted()
    if (isOutage(error)) throw error
    return undefined
  }
}

/** The row of an event that is part of our graph, refused or not. */
async function findPlaced({ engine }: AskDeps, { roomNid }: RoomInfo, eventId: EventId) {
  const [row] = await findEventRows(engine.db, [eventId])
  return row?.room_nid === roomNid && (row.flags & EventFlag.outlier) === 0 ? row : undefined
}

async function findCommon(
  deps: AskDeps,
  room: RoomInfo,
  server: ServerName,
  likely: readonly EventId[],
  signal: AbortSignal,
): Promise<ToldState | undefined> {
  const points = new Set([...likely.slice(0, MAX_POINTS - 2), ...(await olderPoints(deps, room, server))])
  let refusal: unknown
  for (const at of points) {
    const row = await findPlaced(deps, room, at)
    if (row === undefined) continue
    try {
      const { pduIds } = await deps.peers.getStateIds(server, room.roomId, at, signal)
      return { at, root: row.state_before, ids: pduIds.slice(0, MAX_STATE) }
    } catch (error) {
      signal.throwIfAborted()
      if (isOutage(error)) throw error
      refusal = error
    }
  }
  if (refusal !== undefined) throw refusal
  return undefined
}

/** The newest event that they sent themselves, and the oldest of those looked at: likelier to be held than our newest. */
async function olderPoints({ engine }: AskDeps, room: RoomInfo, server: ServerName): Promise<EventId[]> {
  const range = { after: BEGINNING, before: END, backwards: true, limit: LOOKED_AT }
  const events = await listTimeline(engine, room, range)
  const own = events.find(({ sender }) => serverNameOf(sender) === server)
  return [own, events.at(-1)].flatMap((event) => event?.eventId ?? [])
}
