import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { isShown, findEventsByNid } from '../../rooms/read-events.ts'
import { getRoomByNid } from '../../rooms/load-head.ts'
import { renderEvents, renderPlain, renderTimeline } from '../../rooms/render-event.ts'
import type { RoomInfo } from '../../rooms/stored-event.ts'
import { strippedState } from '../../rooms/stripped-state.ts'
import { lastJoinedNid } from '../../rooms/visibility.ts'
import { compileEventFilter } from '../filter.ts'
import { formatPageToken } from '../pagination-token.ts'
import { readTimeline, type Timeline } from '../timeline.ts'
import { newestAt, roomRootBefore } from '../timeline-order.ts'
import type { SlidingContext } from './context.ts'
import { isBump } from './room-activity.ts'
import { requires, toldBy, type RoomConfig } from './room-config.ts'
import { readOverview } from './room-overview.ts'
import type { RoomPlan } from './room-plans.ts'
import { readStateChanges, type StateChange } from './required-state.ts'
import { readToldState, type ToldState } from './told-state.ts'

/** What is told of one room. */
export interface RoomResult {
  /** Its object in the answer; undefined: nothing. */
  readonly text: string | undefined
  /** What of it the client will have been told. */
  readonly told: RoomConfig
  readonly isInitial: boolean
  readonly isExpanded: boolean
  /** Events in the timeline. */
  readonly eventIds: readonly string[]
  /** Membership events that it is told of. */
  readonly members: readonly StoredEvent[]
}

/** Most events of one timeline; a client that wants more pages back from there. */
export const MAX_TIMELINE = 100

/** Reads what has to be told of a room. */
export async function readRoomResult(ctx: SlidingContext, plan: RoomPlan): Promise<RoomResult> {
  const room = await getRoomByNid(ctx.hs.rooms, plan.room.roomNid)
  const { membership } = plan.room
  if (membership === 'invite' || membership === 'knock') return outsideResult(ctx, room, plan)
  if (membership === 'join') return insideResult(ctx, room, plan)
  const joinedUntil = await lastJoinedNid(ctx.hs.rooms, room, ctx.session.userId)
  const isBare =
    plan.sent === undefined ? joinedUntil === Number.NEGATIVE_INFINITY : endedTwice(plan, joinedUntil)
  return isBare ? endedResult(ctx, room, plan) : insideResult(ctx, room, plan)
}

/** Whether the user was told of the end of their stay, and something became of their membership since: a ban after a kick. */
function endedTwice({ room, bound }: RoomPlan, joinedUntil: number): boolean {
  return room.eventNid > bound && joinedUntil <= bound
}

/** Members of every room's object. */
async function headOf(ctx: SlidingContext, { room, lists, sent }: RoomPlan): Promise<string[]> {
  const { direct } = await ctx.hs.sliding.marks.of(ctx.session.userId)
  const parts = [`"membership":"${room.membership}"`]
  if (lists.length > 0) parts.push(`"lists":${JSON.stringify(lists)}`)
  if (sent === undefined) parts.push('"initial":true')
  if (direct.has(room.roomId)) parts.push('"is_dm":true')
  if (room.membership !== 'join')
    parts.push(bumpJson(room.eventNid), '"notification_count":0,"highlight_count":0')
  return parts
}

/** Positions are told as they are; those of the second sequence, which goes down, are before all of them. */
function bumpJson(position: number): string {
  return `"bump_stamp":${Math.max(0, position)}`
}

/** Of a room that the user is invited to or knocked on: what they were told of it. */
async function outsideResult(ctx: SlidingContext, room: RoomInfo, plan: RoomPlan): Promise<RoomResult> {
  const events = await strippedState(ctx.hs.rooms, room, plan.room.eventNid, ctx.session.userId)
  const parts = [...(await headOf(ctx, plan)), `"invite_state":[${events.join(',')}]`]
  const isInitial = plan.sent === undefined
  return { ...NOTHING, text: `{${parts.join(',')}}`, told: plan.config, isInitial }
}

const NOTHING = { isExpanded: false, eventIds: [], members: [] } as const

/** That it is over, for who was not in the room: who declined an invitation, took back a knock, or was banned. */
async function endedResult(ctx: SlidingContext, room: RoomInfo, plan: RoomPlan): Promise<RoomResult> {
  const { config, sent } = plan
  const { eventNid } = plan.room
  const event = (await findEventsByNid(ctx.hs.rooms, [eventNid])).get(eventNid)
  const parts = await headOf(ctx, plan)
  if (event !== undefined) {
    const membership = event.content['membership'] as string
    const [text] = await renderEvents(ctx.hs.rooms, room, ctx.session, [{ event, membership }])
    if (config.timelineLimit > 0) parts.push(`"timeline":[${text}],"limited":false`)
    if (config.lazy || requires(config, event.type, ctx.session.userId))
      parts.push(`"required_state":[${text}]`)
  }
  return { ...NOTHING, text: `{${parts.join(',')}}`, told: config, isInitial: sent === undefined }
}

async function insideResult(ctx: SlidingContext, room: RoomInfo, plan: RoomPlan): Promise<RoomResult> {
  const { config, sent, isRead } = plan
  const isJoined = plan.room.membership === 'join'
  const recent = recentOf(ctx, plan)
  const isExpanded = sent !== undefined && config.timelineLimit > sent.config.timelineLimit
  const timeline = await readRoomTimeline(ctx, room, plan, isExpanded ? undefined : recent, isExpanded)
  const changes = await changesOf(ctx, room, plan, timeline, recent)
  const state = await readToldState(ctx, room, plan, timeline, changes)
  const overview = await readOverview(ctx, room, timeline.endRoot, {
    events: state.face,
    isWhole: sent === undefined,
    members:
      sent === undefined || becameWhole(ctx, plan) || changes.some(({ type }) => type === 'm.room.member'),
    isJoined,
  })
  const shown = config.timelineLimit === 0 ? [] : timeline.events
  const said = shown.map(({ event }) => event)
  const isNews = said.length + state.events.length + state.gone.length + overview.length > 0 || isRead
  const limit = limitToldBy(plan, isExpanded, timeline)
  const texts = await renderTimeline(ctx.hs.rooms, room, ctx.session, shown)
  const parts = [
    ...(await headOf(ctx, plan)),
    ...overview,
    ...(isJoined ? [await bumpOf(ctx, room, plan, timeline), await countsJson(ctx, room)] : []),
    ...stateJson(ctx, state, texts),
    ...timelineJson(ctx, plan, timeline, texts),
    ...(isExpanded ? ['"unstable_expanded_timeline":true,"expanded_timeline":true'] : []),
  ]
  return {
    text: sent === undefined || isNews ? `{${parts.filter((part) => part !== '').join(',')}}` : undefined,
    told: toldBy(sent?.config, config, limit, changes),
    isInitial: sent === undefined,
    isExpanded,
    eventIds: said.map(({ eventId }) => eventId),
    members: state.events.filter(({ type }) => type === 'm.room.member'),
  }
}

function becameWhole({ hs }: SlidingContext, { room, bound }: RoomPlan): boolean {
  return (hs.rooms.partial.wholeSince(room.roomNid) ?? 0) > bound
}

/** The room's events since it was told, where they are in memory. */
function recentOf({ recent }: SlidingContext, { room, sent }: RoomPlan): readonly StoredEvent[] | undefined {
  if (sent === undefined || sent.until !== undefined || recent === undefined) return undefined
  const events = (recent.get(room.roomId) ?? []).filter(isShown)
  return room.membership === 'join' ? events : events.filter(({ nid }) => nid <= room.eventNid)
}

function readRoomTimeline(
  ctx: SlidingContext,
  room: RoomInfo,
  { room: userRoom, config, sent, bound }: RoomPlan,
  recent: readonly StoredEvent[] | undefined,
  isExpanded: boolean,
): Promise<Timeline> {
  const limit = Math.min(config.timelineLimit, MAX_TIMELINE)
  const filter = { ...ctx.filter, timeline: { ...EVERY_EVENT, limit } }
  const isFresh = sent === undefined || isExpanded
  const isJoined = userRoom.membership === 'join'
  return readTimeline({ ...ctx, filter }, room, {
    upTo: isJoined ? ctx.now.position : userRoom.eventNid,
    after: isFresh ? undefined : bound,
    recent,
    allVisible: !isFresh && isJoined && userRoom.eventNid <= bound,
  })
}

const EVERY_EVENT = compileEventFilter({})

async function changesOf(
  ctx: SlidingContext,
  room: RoomInfo,
  { sent, bound }: RoomPlan,
  { endRoot }: Timeline,
  recent: readonly StoredEvent[] | undefined,
): Promise<StateChange[]> {
  if (sent === undefined || recent?.length === 0) return []
  const engine = ctx.hs.rooms
  const first = recent?.[0]
  const root =
    first === undefined
      ? ((await newestAt(engine, room, bound))?.roomRoot ?? 0)
      : await roomRootBefore(engine, room, first)
  return readStateChanges(engine, room, root, endRoot)
}

/**
 * How many events of the newest the client has: more than it asks for now where it had been told more, and the timeline
 * has no gap since.
 */
function limitToldBy({ sent, config }: RoomPlan, isExpanded: boolean, { limited }: Timeline): number {
  if (sent === undefined || isExpanded || limited) return config.timelineLimit
  return sent.config.timelineLimit
}

async function countsJson(ctx: SlidingContext, room: RoomInfo): Promise<string> {
  const { main } = await ctx.hs.unread.countsOf(ctx.session.userId, room, ctx.now.position)
  return `"notification_count":${main.notify},"highlight_count":${main.highlight}`
}

/** Left out where it is the same as before. */
async function bumpOf(
  ctx: SlidingContext,
  room: RoomInfo,
  { room: userRoom, sent, config }: RoomPlan,
  { events, limited }: Timeline,
): Promise<string> {
  const newest = Math.max(
    0,
    ...events
      .map(({ event }) => event)
      .filter(isBump)
      .map(({ nid }) => nid),
  )
  if (newest > 0) return bumpJson(newest)
  if (sent !== undefined && !limited && config.timelineLimit > 0) return ''
  return bumpJson((await ctx.hs.sliding.activity.bumpStamp(room)) || userRoom.eventNid)
}

function stateJson(
  { hs }: SlidingContext,
  { events, gone }: ToldState,
  shown: ReadonlyMap<number, string>,
): string[] {
  const texts = events.map((event) => shown.get(event.nid) ?? renderPlain(hs.rooms, event))
  for (const { type, stateKey } of gone) texts.push(JSON.stringify({ type, state_key: stateKey }))
  return texts.length === 0 ? [] : [`"required_state":[${texts.join(',')}]`]
}

function timelineJson(
  ctx: SlidingContext,
  { config }: RoomPlan,
  { events, limited, before }: Timeline,
  texts: ReadonlyMap<number, string>,
): string[] {
  if (config.timelineLimit === 0) return []
  const parts = [`"limited":${limited},"prev_batch":"${formatPageToken(before)}"`]
  const live = ctx.since === undefined ? 0 : events.length - oldCount(events, ctx.since.position)
  parts.push(`"num_live":${live}`)
  if (events.length > 0) parts.push(`"timeline":[${[...texts.values()].join(',')}]`)
  return parts
}

/** How many at the beginning came before a position, with all that stand before them. */
function oldCount(events: Timeline['events'], position: number): number {
  return events.findLastIndex(({ event }) => event.nid <= position) + 1
}
