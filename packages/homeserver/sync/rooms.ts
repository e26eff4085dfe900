import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { findEventsByNid } from '../rooms/read-events.ts'
import { getRoomByNid } from '../rooms/load-head.ts'
import type { UserRoom } from '../rooms/membership-index.ts'
import { renderEvents, renderPlain, renderTimeline } from '../rooms/render-event.ts'
import { renderSticky } from './streams/sticky.ts'
import { strippedState } from '../rooms/stripped-state.ts'
import { lastJoinedNid, type VisibleEvent } from '../rooms/visibility.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import type { SyncContext } from './context.ts'
import { joinedSince } from './joined-since.ts'
import { formatPageToken, formatPaginationToken } from './pagination-token.ts'
import { readSyncState } from './room-state.ts'
import { readSummary } from './room-summary.ts'
import type { RoomExtras } from './room-extras.ts'
import { DEFAULT_LIMIT, readTimeline, type Timeline } from './timeline.ts'
import { newestAt, roomRootBefore } from './timeline-order.ts'
import { hiddenInvitesOf, hidesInvites, isInviteHidden } from '../rooms/invite-permissions.ts'

/** The `rooms` of a sync response, as JSON texts by room. */
export interface RoomSections {
  readonly join: Map<RoomId, string>
  readonly leave: Map<RoomId, string>
  readonly invite: Map<RoomId, string>
  readonly knock: Map<RoomId, string>
}

/** Rooms that are assembled side by side, since what they ask of the database goes together: at most so many, */
const MAX_ROOMS_AT_A_TIME = 128
/** and with at most so many events in their timelines, which are held as objects meanwhile. */
const MAX_EVENTS_AT_A_TIME = 4_096

/** Every room of which the reader has to be told something. */
export async function assembleRooms(
  ctx: SyncContext,
  extras: ReadonlyMap<RoomId, RoomExtras>,
): Promise<RoomSections> {
  const sections: RoomSections = { join: new Map(), leave: new Map(), invite: new Map(), knock: new Map() }
  const recent = groupEvents(ctx)
  if (recent === undefined) await prepareUnread(ctx)
  const rooms = [...ctx.rooms.byId.values()].filter((userRoom) => {
    // A room left and forgotten since the last sync is still told of: other devices have to learn of the leave.
    const isGone = userRoom.forgotten && (ctx.since === undefined || userRoom.eventNid <= ctx.since.position)
    return !isGone && ctx.filter.passesRoom(userRoom.roomId)
  })
  const perRoom = ctx.filter.timeline.limit ?? DEFAULT_LIMIT
  const atATime = Math.min(MAX_ROOMS_AT_A_TIME, Math.ceil(MAX_EVENTS_AT_A_TIME / Math.max(perRoom, 1)))
  for (let from = 0; from < rooms.length; from += atATime) {
    const portion = rooms.slice(from, from + atATime)
    const told = await Promise.all(
      portion.map((room) => assembleRoom(ctx, room, recent, extras.get(room.roomId))),
    )
    portion.forEach(({ roomId }, index) => {
      const { section, text } = told[index] ?? {}
      if (section !== undefined && text !== undefined) sections[section].set(roomId, text)
    })
  }
  return sections
}

/** Most rooms will be told of: their unread messages are counted together. */
async function prepareUnread({ hs, session, now, rooms, filter }: SyncContext): Promise<void> {
  const told = [...rooms.joined].filter((roomId) => filter.passesRoom(roomId))
  await hs.unread.prepare(
    session.userId,
    told.map((roomId) => rooms.byId.get(roomId)!),
    now.position,
  )
}

/** Events in (since, now] by room, when they are in memory. */
function groupEvents(ctx: SyncContext): Map<RoomId, StoredEvent[]> | undefined {
  if (ctx.entries === undefined) return undefined
  const byRoom = new Map<RoomId, StoredEvent[]>()
  for (const entry of ctx.entries) {
    if (entry.kind !== 'event') continue
    const events = byRoom.get(entry.roomId)
    if (events === undefined) byRoom.set(entry.roomId, [entry.event])
    else events.push(entry.event)
  }
  return byRoom
}

/** Where in the response a room is told of, and its object there. */
interface ToldRoom {
  readonly section: keyof RoomSections
  /** Undefined: there is nothing to tell. */
  readonly text: string | undefined
}

async function assembleRoom(
  ctx: SyncContext,
  userRoom: UserRoom,
  recent: Map<RoomId, StoredEvent[]> | undefined,
  extras: RoomExtras | undefined,
): Promise<ToldRoom | undefined> {
  const { roomId, membership } = userRoom
  const events = recent === undefined ? undefined : (recent.get(roomId) ?? [])
  const changed = ctx.since === undefined || userRoom.eventNid > ctx.since.position
  if (membership === 'join') {
    if (isHeldBack(ctx, userRoom)) return undefined
    const isNews = changed || becameWhole(ctx, userRoom) || ctx.fullState
    if (!isNews && events?.length === 0 && extras === undefined) return undefined
    return { section: 'join', text: await joinedRoom(ctx, userRoom, events, extras) }
  }
  if (membership === 'invite' || membership === 'knock') {
    if (!changed || (await isHidden(ctx, userRoom))) return undefined
    return { section: membership, text: await invitedRoom(ctx, userRoom) }
  }
  if (!changed && !wasOverturned(ctx, userRoom)) return undefined
  if (ctx.since === undefined && !ctx.filter.includeLeave) return undefined
  return { section: 'leave', text: await leftRoom(ctx, userRoom, events) }
}

/** Clients that want all members at once are not shown a room before they are all here. */
function isHeldBack({ hs, filter, now }: SyncContext, { roomNid }: UserRoom): boolean {
  if (filter.state.lazyLoadMembers) return false
  const { partial } = hs.rooms
  return partial.find(roomNid) !== undefined || (partial.wholeSince(roomNid) ?? 0) > now.position
}

/** Whether all members of the room came since the last sync. */
function becameWhole({ hs, since }: SyncContext, { roomNid }: UserRoom): boolean {
  return since !== undefined && (hs.rooms.partial.wholeSince(roomNid) ?? 0) > since.position
}

/** Whether what had been told of the room before turned out to be otherwise by them. */
function wasOverturned({ hs, since }: SyncContext, { roomNid }: UserRoom): boolean {
  return since !== undefined && (hs.rooms.partial.overturnedAt(roomNid) ?? 0) > since.position
}

/** Whether the room is told as if it were the first time, since it was held back until then, or told wrongly. */
function isToldAnew(ctx: SyncContext, userRoom: UserRoom): boolean {
  return ctx.filter.state.lazyLoadMembers ? wasOverturned(ctx, userRoom) : becameWhole(ctx, userRoom)
}

async function joinedRoom(
  ctx: SyncContext,
  userRoom: UserRoom,
  recent: readonly StoredEvent[] | undefined,
  extras: RoomExtras | undefined,
): Promise<string | undefined> {
  const room = await getRoomByNid(ctx.hs.rooms, userRoom.roomNid)
  const isFresh =
    ctx.since === undefined ||
    isToldAnew(ctx, userRoom) ||
    (await joinedSince(ctx, userRoom, ctx.since.position, recent))
  const timeline = await readTimeline(ctx, room, {
    upTo: ctx.now.position,
    after: isFresh ? undefined : ctx.since!.position,
    recent: isFresh ? undefined : recent,
    allVisible: !isFresh && ctx.since !== undefined && userRoom.eventNid <= ctx.since.position,
  })
  const whole = isFresh || ctx.fullState
  const isComplete = becameWhole(ctx, userRoom)
  const isNothingSaid = timeline.events.length === 0 && !timeline.limited && extras === undefined
  const isEmpty = !whole && !isComplete && isNothingSaid
  if (isEmpty && timeline.isQuiet) return undefined
  const sinceRoot = whole ? undefined : await rootAtSince(ctx, room, recent, timeline)
  const told = await renderTimeline(ctx.hs.rooms, room, ctx.session, timeline.events)
  const stateEvents = stateTexts(ctx, await readSyncState(ctx, room, timeline, sinceRoot), told)
  // What is not shown may have made another state of it.
  if (isEmpty && stateEvents.length === 0) return undefined
  const parts = [
    timelineJson(timeline, told, isFresh && ctx.since !== undefined),
    stateJson(ctx, stateEvents),
    `"account_data":{"events":[${(extras?.accountData ?? []).join(',')}]}`,
    `"ephemeral":{"events":[${(extras?.ephemeral ?? []).join(',')}]}`,
    await unreadJson(ctx, room),
    await stickyJson(ctx, room, timeline, extras?.sticky ?? []),
  ]
  // That a room has all its members shows in how many they are.
  if (whole || isComplete || isEmpty || timeline.events.some(({ event }) => event.type === 'm.room.member')) {
    parts.push(`"summary":${JSON.stringify(await readSummary(ctx, room, timeline.endRoot))}`)
  }
  return `{${parts.filter((part) => part !== '').join(',')}}`
}

async function rootAtSince(
  ctx: SyncContext,
  room: RoomInfo,
  recent: readonly StoredEvent[] | undefined,
  timeline: Timeline,
): Promise<number> {
  const first = recent?.[0]
  if (first !== undefined) return roomRootBefore(ctx.hs.rooms, room, first)
  if (recent !== undefined) return timeline.startRoot
  return (await newestAt(ctx.hs.rooms, room, ctx.since!.position))?.roomRoot ?? 0
}

function timelineJson(timeline: Timeline, told: ReadonlyMap<number, string>, isFresh: boolean): string {
  const token = formatPageToken(timeline.before)
  const limited = timeline.limited || isFresh
  const events = timeline.events.map(({ event }) => told.get(event.nid)!)
  return `"timeline":{"events":[${events.join(',')}],"limited":${limited},"prev_batch":"${token}"}`
}

interface ToldState {
  readonly stored: StoredEvent
}

/** What the timeline tells too, as it is told there. */
function stateTexts(
  { hs }: SyncContext,
  state: readonly ToldState[],
  told: ReadonlyMap<number, string>,
): string[] {
  return state.map(({ stored }) => told.get(stored.nid) ?? renderPlain(hs.rooms, stored))
}

function stateJson({ stateAfter }: SyncContext, events: readonly string[]): string {
  return `"${stateAfter ?? 'state'}":{"events":[${events.join(',')}]}`
}

/** Sticky events that the timeline does not tell; nothing where there are none. */
async function stickyJson(
  { hs, session }: SyncContext,
  room: RoomInfo,
  { events }: Timeline,
  sticky: readonly StoredEvent[],
): Promise<string> {
  if (sticky.length === 0) return ''
  const told = new Set(events.map(({ event }) => event.nid))
  const texts = await renderSticky(
    hs.rooms,
    room,
    session,
    sticky.filter(({ nid }) => !told.has(nid)),
  )
  return texts.length === 0 ? '' : `"msc4354_sticky":{"events":[${texts.join(',')}]}`
}

async function unreadJson(ctx: SyncContext, room: RoomInfo): Promise<string> {
  const { unreadThreadNotifications } = ctx.filter.timeline
  const counts = await ctx.hs.unread.countsOf(
    ctx.session.userId,
    room,
    ctx.now.position,
    unreadThreadNotifications,
  )
  const main = `"unread_notifications":{"notification_count":${counts.main.notify},"highlight_count":${counts.main.highlight}}`
  if (!unreadThreadNotifications || counts.threads.size === 0) return main
  const threads = Object.fromEntries(
    [...counts.threads].map(([root, { notify, highlight }]) => [
      root,
      { notification_count: notify, highlight_count: highlight },
    ]),
  )
  return `${main},"unread_thread_notifications":${JSON.stringify(threads)}`
}

/** Whether the reader does not want to see an invitation of whoever it comes from. */
async function isHidden(ctx: SyncContext, { eventNid }: UserRoom): Promise<boolean> {
  const hidden = await hiddenInvitesOf(ctx.hs.rooms, ctx.session.userId)
  if (!hidesInvites(hidden)) return false
  const event = (await findEventsByNid(ctx.hs.rooms, [eventNid])).get(eventNid)
  return event !== undefined && isInviteHidden(hidden, event.sender)
}

async function invitedRoom(ctx: SyncContext, userRoom: UserRoom): Promise<string> {
  const room = await getRoomByNid(ctx.hs.rooms, userRoom.roomNid)
  const events = await strippedState(ctx.hs.rooms, room, userRoom.eventNid, ctx.session.userId)
  const key = userRoom.membership === 'invite' ? 'invite_state' : 'knock_state'
  return `{"${key}":{"events":[${events.join(',')}]}}`
}

/** What happened up to the end of the stay, and what the reader's membership has become since. */
async function leftRoom(
  ctx: SyncContext,
  userRoom: UserRoom,
  recent: readonly StoredEvent[] | undefined,
): Promise<string | undefined> {
  const room = await getRoomByNid(ctx.hs.rooms, userRoom.roomNid)
  const joinedUntil = await lastJoinedNid(ctx.hs.rooms, room, ctx.session.userId)
  if (joinedUntil <= (ctx.since?.position ?? Number.NEGATIVE_INFINITY)) return bareLeave(ctx, room, userRoom)
  // Banned after they left, say: of the room they are told nothing more, but of that.
  const own = userRoom.eventNid === joinedUntil ? NOTHING_SINCE : await ownMembership(ctx, userRoom)
  const timeline = await readTimeline(own.isWanted ? withOneLess(ctx) : ctx, room, {
    upTo: joinedUntil,
    after: ctx.since?.position,
    recent: recent?.filter((event) => event.nid <= joinedUntil),
    allVisible: false,
  })
  const sinceRoot = ctx.since === undefined ? undefined : await rootAtSince(ctx, room, recent, timeline)
  const told = await renderTimeline(ctx.hs.rooms, room, ctx.session, [...timeline.events, ...own.visible])
  const before = await readSyncState(ctx, room, timeline, sinceRoot)
  const state = ctx.stateAfter === undefined ? before : withOwn(before, own)
  const events = own.isWanted ? [...timeline.events, ...own.visible] : timeline.events
  const parts = [
    timelineJson({ ...timeline, events }, told, false),
    stateJson(ctx, stateTexts(ctx, state, told)),
    '"account_data":{"events":[]}',
  ]
  return `{${parts.join(',')}}`
}

/** The same for a timeline that is one event shorter, since another one is put behind it. */
function withOneLess(ctx: SyncContext): SyncContext {
  const { timeline } = ctx.filter
  const limit = Math.max((timeline.limit ?? DEFAULT_LIMIT) - 1, 0)
  return { ...ctx, filter: { ...ctx.filter, timeline: { ...timeline, limit } } }
}

/** The reader's membership of today, if it came after the end of their stay: one event or none. */
interface OwnMembership {
  readonly visible: readonly VisibleEvent[]
  /** Whether the timeline's filter lets it through. */
  readonly isWanted: boolean
}

const NOTHING_SINCE: OwnMembership = { visible: [], isWanted: false }

/** It may be an event without a state. */
async function ownMembership(
  { hs, filter: { timeline: filter } }: SyncContext,
  { eventNid }: UserRoom,
): Promise<OwnMembership> {
  const event = (await findEventsByNid(hs.rooms, [eventNid])).get(eventNid)
  if (event === undefined) return NOTHING_SINCE
  return {
    visible: [{ event, membership: event.content['membership'] as string }],
    isWanted: !filter.isEmpty && filter.limit !== 0 && filter.passes(event),
  }
}

function withOwn(state: readonly ToldState[], { visible }: OwnMembership): readonly ToldState[] {
  const own = visible.map(({ event }) => ({ stored: event }))
  const isOwn = ({ stored }: ToldState): boolean =>
    own.some(({ stored: { type, stateKey } }) => type === stored.type && stateKey === stored.stateKey)
  return [...state.filter((entry) => !isOwn(entry)), ...own]
}

/**
 * The leave alone, for who was not in the room: who declined an invitation, took back a knock or was turned away
 * learns that it is over, and nothing of the room.
 */
async function bareLeave(ctx: SyncContext, room: RoomInfo, userRoom: UserRoom): Promise<string> {
  const { visible, isWanted } = await ownMembership(ctx, userRoom)
  const texts = await renderEvents(ctx.hs.rooms, room, ctx.session, visible)
  const token = formatPaginationToken(userRoom.eventNid)
  const timeline = `"timeline":{"events":[${isWanted ? texts.join() : ''}],"limited":false,"prev_batch":"${token}"}`
  const after = ctx.stateAfter === undefined ? [] : texts
  return `{${timeline},${stateJson(ctx, after)},"account_data":{"events":[]}}`
}
