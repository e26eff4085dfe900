import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { readStateKeysAt } from '../../rooms/current-state.ts'
import type { RoomInfo } from '../../rooms/stored-event.ts'
import { membersByEvents } from '../partial-members.ts'
import type { Timeline } from '../timeline.ts'
import type { SlidingContext } from './context.ts'
import { addedPairs, pairsOf, requires, type Pair } from './room-config.ts'
import type { RoomPlan } from './room-plans.ts'
import { readPairs, type StateChange } from './required-state.ts'

/** State that a client is told of: events, and names of what is gone. */
export interface ToldState {
  /** What shows the room: those of these types that were read. */
  readonly face: readonly StoredEvent[]
  readonly events: readonly StoredEvent[]
  readonly gone: readonly { readonly type: string; readonly stateKey: string }[]
}

const MEMBER = 'm.room.member'
const FACE: readonly Pair[] = [
  ['m.room.name', ''],
  ['m.room.avatar', ''],
]

/**
 * The state in force that a room's configuration asks for: all of it, or what changed and what was not asked for
 * before. With lazy members also whoever the timeline speaks of, unless the client was told; where the timeline is
 * whole, all that changed, so that a client which has all members keeps them.
 */
export async function readToldState(
  ctx: SlidingContext,
  room: RoomInfo,
  plan: RoomPlan,
  timeline: Timeline,
  changes: readonly StateChange[],
): Promise<ToldState> {
  const { config, sent } = plan
  const engine = ctx.hs.rooms
  const added = sent === undefined ? [...pairsOf(config.required), ...FACE] : addedPairs(sent.config, config)
  const isTold = ({ type, stateKey }: { type: string; stateKey: string }): boolean =>
    requires(config, type, stateKey) || (type === MEMBER && config.lazy && !timeline.limited)
  const told = sent === undefined ? [] : changes.filter(isTold)
  const events = new Map<number, StoredEvent>()
  const add = (event: StoredEvent | undefined): void =>
    void (event !== undefined && events.set(event.stateNid, event))
  const read = await readPairs(engine, room, timeline.endRoot, added)
  for (const event of read) if (requires(config, event.type, event.stateKey!)) add(event)
  for (const { event } of told) add(event)
  if (config.lazy) for (const event of await lazyMembers(ctx, room, plan, timeline)) add(event)
  const face =
    sent === undefined ? read : changes.map(({ event }) => event).filter((event) => event !== undefined)
  return { face, events: [...events.values()], gone: told.filter(({ event }) => event === undefined) }
}

/** Memberships of whoever speaks in the timeline, or is spoken of by it, of which the client was not told. */
async function lazyMembers(
  ctx: SlidingContext,
  room: RoomInfo,
  { config, sent }: RoomPlan,
  { events, endRoot }: Timeline,
): Promise<StoredEvent[]> {
  const engine = ctx.hs.rooms
  const users = new Set<string>()
  for (const { event } of events) {
    users.add(event.sender)
    if (event.type === MEMBER && event.stateKey !== undefined) users.add(event.stateKey)
  }
  const wanted = [...users].filter((userId) => !requires(config, MEMBER, userId))
  if (wanted.length === 0) return []
  const names = wanted.map((stateKey) => ({ type: MEMBER, stateKey }))
  const entries = await readStateKeysAt(engine, room, endRoot, names)
  const unknown = new Set(wanted.filter((_, at) => entries[at] === undefined))
  const spoken = events.map(({ event }) => event)
  const members = entries.filter((entry) => entry !== undefined).map(({ stored }) => stored)
  members.push(...(await membersByEvents(engine, room, spoken, unknown)))
  const told = sent === undefined ? undefined : ctx.turn.connection.members.get(room.roomNid)
  return members.filter(({ stateKey, eventId }) => told?.get(stateKey!)?.eventId !== eventId)
}
