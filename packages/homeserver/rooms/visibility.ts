import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { readStateAt, readStateKeysAt } from './current-state.ts'
import type { RoomEngine } from './engine.ts'
import { saysSticky } from './sticky-events.ts'
import type { RoomInfo } from './stored-event.ts'
import { findEventsByNid, MERGE_TYPE } from './read-events.ts'
import { withoutExpired } from './retention/expiry.ts'

/** What of a room's state decides whether a user may see an event. */
interface View {
  readonly visibility: string
  readonly membership: string
}

/** https://spec.matrix.org/v1.19/client-server-api/#room-history-visibility */
const VISIBILITIES: ReadonlySet<string> = new Set(['world_readable', 'shared', 'invited', 'joined'])

function textOf(value: unknown, fallback: string): string {
  return typeof value === 'string' ? value : fallback
}

async function viewAt(engine: RoomEngine, room: RoomInfo, root: number, userId: UserId): Promise<View> {
  const [visibility, member] = await readStateKeysAt(engine, room, root, [
    { type: 'm.room.history_visibility', stateKey: '' },
    { type: 'm.room.member', stateKey: userId },
  ])
  const said = textOf(visibility?.stored.content['history_visibility'], 'shared')
  return {
    visibility: VISIBILITIES.has(said) ? said : 'shared',
    membership: textOf(member?.stored.content['membership'], 'leave'),
  }
}

/** @param joinedLater whether the user was joined at some time after the event */
function allows(view: View, joinedLater: boolean): boolean {
  if (view.visibility === 'world_readable' || view.membership === 'join') return true
  if (view.visibility === 'shared') return joinedLater
  return view.visibility === 'invited' && view.membership === 'invite'
}

/** How far back a chain of leaves, kicks and bans is followed to find the end of the last time in the room. */
const MAX_MEMBERSHIP_STEPS = 20

/**
 * The event by which the last stay of somebody who is not in a room ended, be it that they were banned or invited anew
 * since; undefined for who was never in it.
 * @param eventNid number of their membership event of today
 */
export async function findDeparture(
  engine: RoomEngine,
  room: RoomInfo,
  userId: UserId,
  eventNid: number,
): Promise<StoredEvent | undefined> {
  let event = (await findEventsByNid(engine, [eventNid])).get(eventNid)
  for (let step = 0; event !== undefined && step < MAX_MEMBERSHIP_STEPS; step++) {
    const before = await readStateAt(engine, room, event.stateBefore, 'm.room.member', userId)
    if (before?.stored.content['membership'] === 'join') return event
    event = before?.stored
  }
  return undefined
}

/**
 * The log number before which the user has been joined at some later time: all numbers while joined; the end
 * of the last stay for who has left; none for who never came.
 */
export async function lastJoinedNid(engine: RoomEngine, room: RoomInfo, userId: UserId): Promise<number> {
  const current = (await engine.members.roomsOf(userId)).byId.get(room.roomId)
  if (current === undefined) return Number.NEGATIVE_INFINITY
  if (current.membership === 'join') return Number.POSITIVE_INFINITY
  const departure = await findDeparture(engine, room, userId, current.eventNid)
  return departure?.nid ?? Number.NEGATIVE_INFINITY
}

/** An event with what the reader was to the room when it was sent (`unsigned.membership`). */
export interface VisibleEvent {
  readonly event: StoredEvent
  readonly membership: string
}

/** What of an event its visibility is decided by. */
export type Sightable = Pick<
  StoredEvent,
  'nid' | 'type' | 'stateKey' | 'stateRoot' | 'stateBefore' | 'flags'
> &
  Partial<Pick<StoredEvent, 'originServerTs'>>

/**
 * The events of one room that a user may see, in their order: the one place where that is decided. What has outlived its
 * time nobody sees; what is sticky whoever is in the room, whenever they came. Costs two state look-ups per state that the
 * events have, not per event, and those side by side.
 */
export async function filterVisible<E extends Sightable>(
  engine: RoomEngine,
  room: RoomInfo,
  userId: UserId,
  events: readonly E[],
): Promise<{ event: E; membership: string }[]> {
  if (events.length === 0) return []
  const joinedUntil = await lastJoinedNid(engine, room, userId)
  const views = new Map<number, Promise<View>>()
  const viewOf = (root: number): Promise<View> => {
    let view = views.get(root)
    if (view === undefined) views.set(root, (view = viewAt(engine, room, root, userId)))
    return view
  }
  const living = await withoutExpired(engine, room, events)
  const shown = living.filter(({ type }) => type !== MERGE_TYPE)
  // The first leaves in memory what all of them ask for.
  if (shown.length > 0) await viewOf(shown[0]!.stateRoot)
  await Promise.all(shown.map(({ stateRoot }) => viewOf(stateRoot)))
  const isSticky = await stickyFor(engine, shown, joinedUntil)
  const visible: { event: E; membership: string }[] = []
  for (const event of shown) {
    const joinedLater = event.nid < joinedUntil
    const view = await viewOf(event.stateRoot)
    let ok = allows(view, joinedLater) || isSticky.has(event.nid)
    // Of a change of visibility, or of the user's own membership, the more permissive side counts.
    if (!ok && event.stateBefore !== event.stateRoot && isDecisive(event, userId)) {
      ok = allows(await viewOf(event.stateBefore), joinedLater)
    }
    if (ok) visible.push({ event, membership: view.membership })
  }
  return visible
}

const NO_EVENTS: ReadonlyMap<number, number> = new Map()

/** Those of some events that are sticky, for who is in the room now. */
async function stickyFor(
  { sticky }: RoomEngine,
  events: readonly Sightable[],
  joinedUntil: number,
): Promise<ReadonlyMap<number, number>> {
  if (joinedUntil !== Number.POSITIVE_INFINITY || !events.some(saysSticky)) return NO_EVENTS
  return sticky.untilOf(events)
}

function isDecisive(event: Sightable, userId: UserId): boolean {
  return (
    event.type === 'm.room.history_visibility' ||
    (event.type === 'm.room.member' && event.stateKey === userId)
  )
}

/** All that is left of them, for whoever sees everything: administrators who look into a room that they are not in. */
export async function showAll<E extends Sightable>(
  engine: RoomEngine,
  room: RoomInfo,
  events: readonly E[],
): Promise<{ event: E; membership: string }[]> {
  const living = await withoutExpired(engine, room, events)
  return living.filter(({ type }) => type !== MERGE_TYPE).map((event) => ({ event, membership: 'leave' }))
}

/** Whether a user may see one event. */
export async function isVisible(
  engine: RoomEngine,
  room: RoomInfo,
  userId: UserId,
  event: StoredEvent,
): Promise<boolean> {
  return (await filterVisible(engine, room, userId, [event])).length === 1
}
