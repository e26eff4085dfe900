import { packStateKey, type StateKey } from '@causeway/matrix/event-auth/state-key.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { diffStates } from '@causeway/store/state/diff.ts'
import { listState, getMany } from '@causeway/store/state/tree.ts'
import { listNonMemberKeys } from '@causeway/store/tables/state.ts'
import { readStateEntries, readStateKeysAt } from '../rooms/current-state.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import type { StateEntry } from '../rooms/state-entry.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import type { SyncContext } from './context.ts'
import { membersByEvents } from './partial-members.ts'
import type { Timeline } from './timeline.ts'

/** A state event that the reader is told of. */
type ToldEntry = Pick<StateEntry, 'stored'>

/**
 * The `state` of a room in a sync: what changed between `sinceRoot` and the start of the timeline; the whole
 * state there when `sinceRoot` is undefined. Where the reader wants `state_after`, the same up to its end. With lazy
 * loading, members only as far as the timeline needs them.
 * https://spec.matrix.org/v1.19/client-server-api/#lazy-loading-room-members
 */
export async function readSyncState(
  ctx: SyncContext,
  room: RoomInfo,
  timeline: Timeline,
  sinceRoot: number | undefined,
): Promise<ToldEntry[]> {
  const { state: filter } = ctx.filter
  if (filter.isEmpty || !filter.passesRoom(room.roomId)) return []
  const engine = ctx.hs.rooms
  const lazy = filter.lazyLoadMembers
  const root = rootToldOf(ctx, timeline)
  const before =
    sinceRoot === undefined
      ? await wholeState(engine, room, root, lazy)
      : await changedState(engine, room, sinceRoot, root)
  const isAsked = ({ stored }: StateEntry): boolean =>
    sinceRoot !== undefined || !lazy || stored.type !== 'm.room.member'
  const isPartial = timeline.isPartial && ctx.stateAfter === undefined
  const entries = isPartial ? await withUntold(engine, room, timeline, before, isAsked) : before
  const members = lazy ? await membersFor(ctx, room, timeline, entries, sinceRoot === undefined) : []
  return [...entries, ...members].filter(({ stored }) => filter.passes(stored))
}

/** Of which moment the reader is told the state. */
function rootToldOf({ stateAfter }: SyncContext, { startRoot, endRoot }: Timeline): number {
  return stateAfter === undefined ? startRoot : endRoot
}

/** The whole state at a root; with lazy loading, all but the members. */
export async function wholeState(
  engine: RoomEngine,
  room: RoomInfo,
  root: number,
  lazy: boolean,
): Promise<StateEntry[]> {
  const stateNids: number[] = []
  if (lazy) {
    const keyNids = await listNonMemberKeys(engine.db, room.roomNid)
    for (const nid of await getMany(engine.nodes, room.roomNid, root, keyNids))
      if (nid !== undefined) stateNids.push(nid)
  } else {
    for await (const items of listState(engine.nodes, room.roomNid, root))
      stateNids.push(...items.map(([, nid]) => nid))
  }
  const entries = await readStateEntries(engine, room, stateNids)
  return stateNids.map((nid) => entries.get(nid)).filter((entry) => entry !== undefined)
}

/**
 * The state before a timeline that does not say all that came of it, with what it leaves out: what is in force at its end
 * without standing in it is told beforehand, in place of what was in force at its beginning.
 */
async function withUntold(
  engine: RoomEngine,
  room: RoomInfo,
  { events, startRoot, endRoot }: Timeline,
  before: readonly StateEntry[],
  isAsked: (entry: StateEntry) => boolean,
): Promise<StateEntry[]> {
  const told = new Set(events.map(({ event }) => event.nid))
  const later = await changedState(engine, room, startRoot, endRoot)
  const untold = later.filter((entry) => !told.has(entry.stored.nid) && isAsked(entry))
  const keyOf = ({ stored: { type, stateKey } }: StateEntry): StateKey => packStateKey(type, stateKey!)
  const replaced = new Set(untold.map(keyOf))
  return [...before.filter((entry) => !replaced.has(keyOf(entry))), ...untold]
}

/** What is different at `to`; state that is gone there has no event to show. */
async function changedState(
  engine: RoomEngine,
  room: RoomInfo,
  from: number,
  to: number,
): Promise<StateEntry[]> {
  if (from === to) return []
  const stateNids: number[] = []
  for (const change of await diffStates(engine.nodes, room.roomNid, from, to)) {
    if (change.after !== undefined) stateNids.push(change.after)
  }
  return [...(await readStateEntries(engine, room, stateNids)).values()]
}

/**
 * The membership of whoever speaks in the timeline, unless this device was told before; always the user's own on a first
 * sync. Where state is not read out of the timeline, of whom it is about too: else nobody would tell of who was invited.
 */
async function membersFor(
  ctx: SyncContext,
  room: RoomInfo,
  timeline: Timeline,
  known: readonly StateEntry[],
  isFirst: boolean,
): Promise<ToldEntry[]> {
  const told = new Set(
    known.filter(({ stored }) => stored.type === 'm.room.member').map(({ stored }) => stored.stateKey),
  )
  const wanted = new Set<UserId>(isFirst ? [ctx.session.userId] : [])
  for (const { event } of timeline.events) {
    // A membership event in the timeline tells of its own user from there on, unless state is not read out of it.
    const isMembership = event.type === 'm.room.member'
    if (isMembership && ctx.stateAfter !== undefined && event.stateKey !== undefined)
      wanted.add(event.stateKey as UserId)
    const tellsItself = isMembership && ctx.stateAfter === undefined
    if (tellsItself && event.stateKey === event.sender) told.add(event.stateKey)
    else if (!told.has(event.sender)) wanted.add(event.sender)
  }
  const names = [...wanted]
    .filter((userId) => !told.has(userId))
    .map((stateKey) => ({ type: 'm.room.member', stateKey }))
  if (names.length === 0) return []
  const entries: (ToldEntry | undefined)[] = await readStateKeysAt(
    ctx.hs.rooms,
    room,
    rootToldOf(ctx, timeline),
    names,
  )
  const unknown = new Set(names.filter((_, at) => entries[at] === undefined).map(({ stateKey }) => stateKey))
  const spoken = timeline.events.map(({ event }) => event)
  const byEvents = await membersByEvents(ctx.hs.rooms, room, spoken, unknown)
  entries.push(...byEvents.map((stored) => ({ stored })))
  const redundant = isFirst || ctx.filter.state.includeRedundantMembers
  return entries.filter((entry) => {
    if (entry === undefined) return false
    // Noted in any case: whom a first sync tells of need not be told of again.
    const isNews = ctx.hs.toldMembers.shouldTell(ctx.session, entry.stored)
    return redundant || isNews
  }) as ToldEntry[]
}
