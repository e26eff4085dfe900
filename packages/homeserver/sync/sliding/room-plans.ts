import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { findEventsByNid } from '../../rooms/read-events.ts'
import type { RoomEngine } from '../../rooms/engine.ts'
import { getRoomByNid } from '../../rooms/load-head.ts'
import { readStateAt } from '../../rooms/current-state.ts'
import type { UserRoom } from '../../rooms/membership-index.ts'
import type { SentRoom } from './connection.ts'
import type { SlidingContext } from './context.ts'
import { isExpanded } from './room-config.ts'
import type { WantedRoom } from './windows.ts'

/** A room of which something may have to be told. */
export interface RoomPlan extends WantedRoom {
  /** What the client was told of it before; undefined: it is told from the beginning. */
  readonly sent: SentRoom | undefined
  /** Position up to which it was told; 0 where it is told from the beginning. */
  readonly bound: number
  /** More of it is asked for than before. */
  readonly isExpanded: boolean
  /** The user read something there, which changes the counts. */
  readonly isRead: boolean
}

/** The rooms of which there may be something to tell: those that are new to the client, and those that changed. */
export async function planRooms(
  ctx: SlidingContext,
  wanted: ReadonlyMap<RoomId, WantedRoom>,
): Promise<RoomPlan[]> {
  const reads = readRooms(ctx)
  const plans = [...wanted.values()].map((room) => planOf(ctx, room, reads.has(room.room.roomId)))
  const newest = await ctx.hs.sliding.activity.newest(
    plans.filter(asksForNewest(ctx)).map(({ room }) => room),
  )
  const due: RoomPlan[] = []
  for (const plan of plans) {
    if (plan.sent === undefined || plan.isExpanded || plan.isRead || isNews(ctx, plan, newest))
      due.push(await anewIfCameIn(ctx.hs.rooms, plan))
  }
  return due
}

function planOf({ since, turn }: SlidingContext, wanted: WantedRoom, isRead: boolean): RoomPlan {
  const sent = since === undefined ? undefined : turn.base.rooms.get(wanted.room.roomNid)
  if (sent === undefined) return { ...wanted, sent, bound: 0, isExpanded: false, isRead }
  const bound = sent.until ?? since!.position
  return { ...wanted, sent, bound, isExpanded: isExpanded(sent.config, wanted.config), isRead }
}

/** Rooms of which the log in memory does not say whether something happened there. */
function asksForNewest({ recent }: SlidingContext): (plan: RoomPlan) => boolean {
  return ({ room, sent }) =>
    room.membership === 'join' && sent !== undefined && (sent.until !== undefined || recent === undefined)
}

function isNews(
  { hs, recent }: SlidingContext,
  { room, sent, bound }: RoomPlan,
  newest: ReadonlyMap<number, number>,
): boolean {
  if (room.eventNid > bound) return true
  if (room.membership !== 'join') return false
  if ((hs.rooms.partial.wholeSince(room.roomNid) ?? 0) > bound) return true
  if (sent?.until === undefined && recent !== undefined) return recent.has(room.roomId)
  return (newest.get(room.roomNid) ?? 0) > bound
}

/** Rooms in which the user has read something since the last answer. */
function readRooms({ entries, session }: SlidingContext): ReadonlySet<RoomId> {
  const rooms = new Set<RoomId>()
  for (const entry of entries ?? [])
    if (entry.kind === 'receipt' && entry.userId === session.userId) rooms.add(entry.roomId)
  return rooms
}

/** Who came into a room since it was told is told it from the beginning; so is who was told it wrongly (fast joins). */
async function anewIfCameIn(engine: RoomEngine, plan: RoomPlan): Promise<RoomPlan> {
  if (plan.sent === undefined) return plan
  const isOverturned = (engine.partial.overturnedAt(plan.room.roomNid) ?? 0) > plan.bound
  if (!isOverturned && !(await cameInAfter(engine, plan.room, plan.bound))) return plan
  return { ...plan, sent: undefined, bound: 0, isExpanded: false }
}

/** Changes of a membership that are looked through. */
const MAX_STEPS = 20

/** Whether a user who is in a room has not been there all the time since a log position. */
async function cameInAfter(engine: RoomEngine, userRoom: UserRoom, bound: number): Promise<boolean> {
  const { roomNid, membership, eventNid } = userRoom
  if (membership !== 'join' || eventNid <= bound) return false
  const room = await getRoomByNid(engine, roomNid)
  let event = (await findEventsByNid(engine, [eventNid])).get(eventNid)
  for (let step = 0; event !== undefined && step < MAX_STEPS; step++) {
    if (event.content['membership'] !== 'join') return true
    // A change of name is a join after a join.
    if (event.nid <= bound) return false
    event = (await readStateAt(engine, room, event.stateBefore, event.type, event.stateKey!))?.stored
  }
  return true
}
