import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { PushAction } from '@causeway/matrix/push-rules/ruleset.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { listCandidates, listComings } from '@causeway/store/tables/unread.ts'
import type { Homeserver } from '../homeserver.ts'
import { getRoomByNid } from '../rooms/load-head.ts'
import type { UserRoom } from '../rooms/membership-index.ts'
import { END, findEventsByNid, isShown } from '../rooms/read-events.ts'
import { threadOf } from '../rooms/relation.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import { filterVisible, type VisibleEvent } from '../rooms/visibility.ts'
import { createEvaluator } from '../unread/evaluate-event.ts'
import { MAIN } from '../unread/event-steps.ts'
import { readPositions, type ReadUpTo } from '../unread/read-positions.ts'
import { countModeOf } from '../unread/rule-plan.ts'

/** An event that a user is, or would be, notified of. */
export interface PastNotification {
  readonly room: RoomInfo
  readonly visible: VisibleEvent
  readonly actions: readonly PushAction[]
  readonly isRead: boolean
}

export interface HistoryPage {
  readonly notifications: readonly PastNotification[]
  /** The number before which to go on; undefined: there is nothing more. */
  readonly next: number | undefined
}

export interface HistoryQuery {
  /** Exclusive; undefined: from the newest on. */
  readonly before: number | undefined
  readonly limit: number
  readonly onlyHighlights: boolean
}

/** Events that are looked at for one page at most; the next one goes on where it ends. */
const MAX_LOOKED_AT = 1_000
/** Rooms that are asked at once. */
const ROOMS_AT_ONCE = 200

type Deps = Pick<Homeserver, 'db' | 'rooms' | 'pushRules'>

/**
 * What a user was notified of, newest first, in the rooms they are in and have been in since: worked out from the
 * events and the user's rules of now. Nothing is kept of it, so that nothing has to be erased.
 */
export async function readHistory(hs: Deps, userId: UserId, query: HistoryQuery): Promise<HistoryPage> {
  const places = await findPlaces(hs, userId)
  const notifications: PastNotification[] = []
  let { before = END } = query
  for (let seen = 0; seen < MAX_LOOKED_AT;) {
    const portion = Math.max(query.limit, 20)
    const found = await newestCandidates(hs, userId, places, before, portion)
    for (const { nid, place } of found.list) {
      const one = await judge(hs, userId, place, found.events.get(nid))
      before = nid
      seen++
      if (one === undefined || (query.onlyHighlights && !one.isHighlight)) continue
      notifications.push(one)
      if (notifications.length === query.limit) return { notifications, next: before }
    }
    if (found.list.length < portion) return { notifications, next: undefined }
  }
  return { notifications, next: before }
}

/** A room, and from when on its events concern the user. */
interface Place {
  readonly userRoom: UserRoom
  readonly mode: 'default' | 'mentions' | 'evaluate'
  readonly cameIn: number
  readonly readUpTo: ReadUpTo
}

async function findPlaces(hs: Deps, userId: UserId): Promise<Place[]> {
  const { byId, joined } = await hs.rooms.members.roomsOf(userId)
  const { changes } = await hs.pushRules.of(userId)
  const rooms = [...joined].map((roomId) => byId.get(roomId)!)
  const nids = rooms.map(({ roomNid }) => roomNid)
  const [comings, read] = await Promise.all([
    listComings(hs.db, userId, nids),
    readPositions(hs.rooms, userId, rooms),
  ])
  return rooms.flatMap((userRoom) => {
    const { roomNid, roomId, eventNid } = userRoom
    const mode = countModeOf(changes, userId, roomId)
    const cameIn = comings.get(roomNid) ?? eventNid
    return mode === 'none' ? [] : [{ userRoom, mode, cameIn, readUpTo: read.get(roomNid)! }]
  })
}

interface Candidate {
  readonly nid: number
  readonly place: Place
}

/** The newest events of all rooms that may notify, and what they are. */
async function newestCandidates(
  { db, rooms }: Deps,
  userId: UserId,
  places: readonly Place[],
  before: number,
  limit: number,
): Promise<{ list: Candidate[]; events: Map<number, StoredEvent> }> {
  let list: Candidate[] = []
  for (let from = 0; from < places.length; from += ROOMS_AT_ONCE) {
    // What is older than the events found so far need not be looked for.
    const oldest = list.length < limit ? Number.NEGATIVE_INFINITY : list.at(-1)!.nid
    const portion = places.slice(from, from + ROOMS_AT_ONCE).map(async (place) => {
      const { userRoom, mode, cameIn } = place
      const range = { userId, mode, before, newestFirst: true, limit }
      const after = Math.max(cameIn, oldest)
      const nids = await listCandidates(db, { ...range, roomNid: userRoom.roomNid, after })
      return nids.map((nid) => ({ nid, place }))
    })
    const found = (await Promise.all(portion)).flat()
    list = [...list, ...found].sort((a, b) => b.nid - a.nid).slice(0, limit)
  }
  const events = await findEventsByNid(
    rooms,
    list.map(({ nid }) => nid),
  )
  return { list, events }
}

async function judge(
  { rooms, pushRules }: Deps,
  userId: UserId,
  { userRoom, readUpTo }: Place,
  event: StoredEvent | undefined,
): Promise<(PastNotification & { readonly isHighlight: boolean }) | undefined> {
  if (event === undefined || !isShown(event) || (event.flags & EventFlag.redacted) !== 0) return undefined
  if ((await rooms.ignored.of(userId)).includes(event.sender)) return undefined
  const room = await getRoomByNid(rooms, userRoom.roomNid)
  const { compiled } = await pushRules.of(userId)
  const verdict = await createEvaluator(rooms, room, compiled)(event)
  if (!verdict.notify) return undefined
  const [visible] = await filterVisible(rooms, room, userId, [event])
  if (visible === undefined) return undefined
  const isRead = event.nid <= readUpTo(threadOf(event.content) ?? MAIN)
  return { room, visible, actions: verdict.actions, isRead, isHighlight: verdict.highlight }
}
