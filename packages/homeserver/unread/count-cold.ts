import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { EventFlag, type StoredEvent } from '@causeway/store/log/entry.ts'
import {
  countNotifyingInRooms,
  listMentions,
  listReadPositions,
  listThreadEvents,
  type MentionRow,
  type UnreadRange,
} from '@causeway/store/tables/unread.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { getRoomByNid } from '../rooms/load-head.ts'
import type { UserRoom } from '../rooms/membership-index.ts'
import { findEventsByNid, listTimeline } from '../rooms/read-events.ts'
import { threadOf } from '../rooms/relation.ts'
import type { SubscribedThreads } from '../rooms/thread-subscriptions.ts'
import type { UserPushRules } from '../user-data/push-rules.ts'
import { createEvaluator } from './evaluate-event.ts'
import { MAIN } from './event-steps.ts'
import { countModeOf, type CountMode } from './rule-plan.ts'
import { Tally } from './tally.ts'

/** Whose unread messages are counted, and as of when. */
export interface Counting {
  readonly userId: UserId
  readonly rules: UserPushRules
  /** Whose messages the user does not want to hear: they count nothing. */
  readonly ignored: readonly string[]
  /** Threads that they are subscribed to; undefined where their rules do not ask for them. */
  readonly threads: SubscribedThreads | undefined
  /** Log position: events after it do not count yet. */
  readonly upTo: number
}

/** One room on its way to being counted. */
interface RoomCount {
  readonly userRoom: UserRoom
  readonly mode: CountMode
  readonly tally: Tally
  /** How far threads have been read one by one; `main` is one of them. */
  readonly read: Map<string, number>
  /** How far the room has been read whatever the thread. */
  readFrom: number
}

/** Stored facts do not say who sent what: those who ignore somebody have each event looked at. */
export function modeOf({ rules, userId, ignored }: Counting, roomId: string): CountMode {
  const mode = countModeOf(rules.changes, userId, roomId)
  return mode === 'none' || ignored.length === 0 ? mode : 'evaluate'
}

/** Counts rooms from what is stored, in a handful of queries however many rooms there are. */
export async function countRooms(
  engine: RoomEngine,
  counting: Counting,
  userRooms: readonly UserRoom[],
): Promise<Map<number, Tally>> {
  const rooms = new Map<number, RoomCount>()
  for (const userRoom of userRooms) {
    const mode = modeOf(counting, userRoom.roomId)
    rooms.set(userRoom.roomNid, { userRoom, mode, tally: new Tally(), read: new Map(), readFrom: NaN })
  }
  await readPositions(engine, counting, rooms)
  const all = [...rooms.values()]
  await countStored(engine, counting, rooms, all)
  for (const room of all) if (room.mode === 'evaluate') await countByRules(engine, counting, room)
  return new Map(all.map(({ userRoom, tally }) => [userRoom.roomNid, tally]))
}

async function readPositions(
  engine: RoomEngine,
  { userId }: Counting,
  rooms: ReadonlyMap<number, RoomCount>,
): Promise<void> {
  for (const row of await listReadPositions(engine.db, userId, [...rooms.keys()])) {
    const room = rooms.get(row.room_nid)!
    if (row.thread_id === '') room.readFrom = row.event_nid
    else room.read.set(row.thread_id, row.event_nid)
  }
  for (const room of rooms.values()) {
    // Who came in before that was written down has read nothing since their membership.
    if (Number.isNaN(room.readFrom)) room.readFrom = room.userRoom.eventNid
  }
}

function readOf(room: RoomCount, threadId: string): number {
  return Math.max(room.readFrom, room.read.get(threadId) ?? room.readFrom)
}

/** Rooms whose counts follow from the index, the threads and the mentions. */
async function countStored(
  engine: RoomEngine,
  { userId, rules, upTo }: Counting,
  rooms: ReadonlyMap<number, RoomCount>,
  all: readonly RoomCount[],
): Promise<void> {
  const counted = all.filter(({ mode }) => mode === 'default')
  const rangeOf = (room: RoomCount, after: number): UnreadRange => ({ roomNid: room.userRoom.roomNid, after })
  const [totals, threadEvents, mentions] = await Promise.all([
    countNotifyingInRooms(
      engine.db,
      counted.map((room) => rangeOf(room, readOf(room, MAIN))),
      upTo,
    ),
    listThreadEvents(
      engine.db,
      counted.map((room) => rangeOf(room, room.readFrom)),
      upTo,
    ),
    listMentions(
      engine.db,
      all
        .filter(({ mode }) => mode === 'default' || mode === 'mentions')
        .map((room) => rangeOf(room, room.readFrom)),
      upTo,
      userId,
    ),
  ])
  for (const [roomNid, total] of totals) rooms.get(roomNid)!.tally.add(MAIN, upTo, total, 0)
  for (const { room_nid: roomNid, thread_id: threadId, event_nid: nid } of threadEvents) {
    const room = rooms.get(roomNid)!
    // Every thread's events are in the total, as far as they are newer than what was read of the main timeline.
    if (nid > readOf(room, MAIN)) room.tally.add(MAIN, upTo, -1, 0)
    if (nid > readOf(room, threadId)) room.tally.add(threadId, nid, 1, 0)
  }
  await countMentions(engine, rules, rooms, mentions)
}

async function countMentions(
  engine: RoomEngine,
  rules: UserPushRules,
  rooms: ReadonlyMap<number, RoomCount>,
  mentions: readonly MentionRow[],
): Promise<void> {
  const unsure = mentions.filter((row) => row.user_id === '').map((row) => row.event_nid)
  const events = await findEventsByNid(engine, unsure)
  for (const row of mentions) {
    const room = rooms.get(row.room_nid)!
    const threadId = row.thread_id === '' ? MAIN : row.thread_id
    const nid = row.event_nid
    if (nid <= readOf(room, threadId)) continue
    const event = row.user_id === '' ? events.get(nid) : undefined
    if (row.user_id === '' && event === undefined) continue
    const weight = event === undefined ? MENTIONED : await weigh(engine, rules, event)
    // Without a mention a muted room counts nothing, and any other what the index has counted.
    const already = room.mode === 'default' ? row.notifies : 0
    if (room.mode === 'mentions' && !weight.highlight) continue
    room.tally.add(threadId, nid, (weight.notify ? 1 : 0) - already, weight.highlight ? 1 : 0)
  }
}

const MENTIONED = { notify: true, highlight: true }

async function weigh(
  engine: RoomEngine,
  rules: UserPushRules,
  event: StoredEvent,
): Promise<{ notify: boolean; highlight: boolean }> {
  if (event.sender === rules.compiled.userId)
    return { notify: (event.flags & EventFlag.notifies) !== 0, highlight: false }
  return createEvaluator(engine, await getRoomByNid(engine, event.roomNid), rules.compiled)(event)
}

/** Events of one room that are put before a user's own rules: the newest ones; what is older is no longer counted. */
const PORTIONS = [100, 900, 1_000]

async function countByRules(engine: RoomEngine, counting: Counting, room: RoomCount): Promise<void> {
  const info = await getRoomByNid(engine, room.userRoom.roomNid)
  const verdictOf = createEvaluator(engine, info, counting.rules.compiled)
  let before = counting.upTo + 1
  for (const limit of PORTIONS) {
    const range = { after: room.readFrom, before, backwards: true, limit }
    const events = await listTimeline(engine, info, range)
    for (const event of events) {
      if (counting.ignored.includes(event.sender)) continue
      const threadId = threadOf(event.content) ?? MAIN
      if (event.nid > readOf(room, threadId)) room.tally.count(threadId, event.nid, await verdictOf(event))
    }
    if (events.length < limit) return
    before = events.at(-1)!.nid
  }
}
