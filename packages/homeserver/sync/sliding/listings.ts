import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import type { Homeserver } from '../../homeserver.ts'
import type { UserRoom, UserRooms } from '../../rooms/membership-index.ts'
import { findEventsByNid, isShown } from '../../rooms/read-events.ts'
import { passes, wantedKinds, type FilterFacts } from './list-filter.ts'
import type { ListFilters } from './request.ts'
import type { RoomActivity } from './room-activity.ts'
import type { RoomKinds } from './room-kinds.ts'
import type { RoomMarks, RoomMarksOf } from './room-marks.ts'
import { childrenOfSpaces } from './space-children.ts'
import {
  hiddenInvitesOf,
  hidesInvites,
  isInviteHidden,
  type HiddenInvites,
} from '../../rooms/invite-permissions.ts'

/** The rooms of one user that pass one filter, the one in which something happened last first. Never changed. */
export interface Listing extends HiddenInvites {
  readonly rooms: UserRooms
  readonly marks: RoomMarks
  /** Position of the log up to which the order is right. */
  readonly position: number
  readonly order: readonly UserRoom[]
}

/** Listings in memory: made once of all of a user's rooms, then kept up by what happens in them. */
export interface Listings {
  of(userId: UserId, rooms: UserRooms, filters: ListFilters): Promise<Listing>
  /** Whether a list is of a room that is over for the user, of which they still have to be told. */
  passesEnded(userId: UserId, rooms: UserRooms, filters: ListFilters, room: UserRoom): Promise<boolean>
}

export interface ListingDeps extends Pick<Homeserver, 'log' | 'budget' | 'rooms'> {
  readonly activity: RoomActivity
  readonly kinds: RoomKinds
  readonly marks: RoomMarksOf
}

const NO_USERS: ReadonlySet<string> = new Set()

export function createListings(deps: ListingDeps): Listings {
  const { log, rooms: engine } = deps
  const cache = deps.budget.cache<string, Listing>({
    name: 'room_listings',
    share: 0.03,
    weigh: ({ order }, key) => 300 + 2 * key.length + order.length * 16,
  })
  return {
    async of(userId, rooms, filters) {
      const key = `${userId} ${filters.key}`
      const marks = await deps.marks.of(userId)
      const hidden = await hiddenInvitesOf(engine, userId)
      const held = cache.get(key)
      const isHeld = held?.ignored === hidden.ignored && held.invites === hidden.invites
      const isSame = isHeld && held.rooms === rooms && held.marks === marks
      const kept = isSame ? keepUp(held, filters, log) : undefined
      const listing = kept ?? (await make(deps, userId, { rooms, marks, ...hidden }, filters))
      if (listing !== held) cache.set(key, listing)
      return listing
    },
    async passesEnded(userId, rooms, filters, room) {
      const facts = await factsOf(deps, userId, { rooms, marks: await deps.marks.of(userId) }, filters, [
        room,
      ])
      // Of a room that we are not in any more, nothing may be known; that it is over has to be told.
      const isKnown = facts.kinds.get(room.roomNid)?.roomType !== undefined
      const blind = { ...filters, roomTypes: undefined, notRoomTypes: undefined, isEncrypted: undefined }
      return passes(isKnown ? filters : blind, facts, room)
    },
  }
}

/** The listing as of now, where nothing happened but that rooms moved to its front; undefined: it has to be made anew. */
function keepUp(held: Listing, filters: ListFilters, log: Homeserver['log']): Listing | undefined {
  const position = log.head()
  if (position === held.position) return held
  const entries = log.ring.sinceOf(held.position, held.rooms.joined, NO_USERS)
  if (entries === 'fell-behind' || entries.some((entry) => changesFilter(entry, filters))) return undefined
  const last = new Map<number, number>()
  for (const entry of entries)
    if (entry.kind === 'event' && isShown(entry.event)) last.set(entry.event.roomNid, entry.position)
  if (last.size === 0) return { ...held, position }
  const moved = held.order.filter(({ roomNid }) => last.has(roomNid))
  const rest = held.order.filter(({ roomNid }) => !last.has(roomNid))
  moved.sort((a, b) => last.get(b.roomNid)! - last.get(a.roomNid)!)
  return { ...held, position, order: [...moved, ...rest] }
}

function changesFilter(entry: LogEntry, { isEncrypted, spaces }: ListFilters): boolean {
  if (entry.kind === 'room_whole') return isEncrypted !== undefined || spaces !== undefined
  if (entry.kind !== 'event') return false
  const { type, roomId, roomRoot, stateRoot } = entry.event
  const isMerged = roomRoot !== stateRoot
  if (isEncrypted !== undefined && (isMerged || type === 'm.room.encryption')) return true
  return spaces?.has(roomId) === true && (isMerged || type === 'm.space.child')
}

type Basis = Pick<Listing, 'rooms' | 'marks' | keyof HiddenInvites>

async function make(deps: ListingDeps, userId: UserId, basis: Basis, filters: ListFilters): Promise<Listing> {
  const position = deps.log.head()
  const listed = await listedRooms(deps, userId, basis)
  const facts = await factsOf(deps, userId, basis, filters, listed)
  const passing = listed.filter((room) => passes(filters, facts, room))
  const joined = passing.filter(({ membership }) => membership === 'join')
  const newest = await deps.activity.newest(joined)
  // Who is not in a room sees nothing of it after their own membership.
  const at = (room: UserRoom): number =>
    room.membership === 'join' ? (newest.get(room.roomNid) ?? room.eventNid) : room.eventNid
  const order = passing.map((room) => ({ room, at: at(room) })).toSorted((a, b) => b.at - a.at)
  return { ...basis, position, order: order.map(({ room }) => room) }
}

async function factsOf(
  deps: ListingDeps,
  userId: UserId,
  { rooms, marks }: Pick<Basis, 'rooms' | 'marks'>,
  filters: ListFilters,
  listed: readonly UserRoom[],
): Promise<FilterFacts> {
  const kinds = await deps.kinds.of(userId, listed, wantedKinds(filters))
  const { spaces } = filters
  const children = spaces === undefined ? NO_USERS : await childrenOfSpaces(deps.rooms, rooms, spaces)
  return { marks, kinds, children }
}

/** Rooms that lists are of: all but those that the user left by themselves or forgot, and what they do not want to hear of. */
async function listedRooms(
  { rooms: engine }: ListingDeps,
  userId: UserId,
  { rooms, ...hidden }: Basis,
): Promise<UserRoom[]> {
  const mayHide = hidesInvites(hidden)
  const all = [...rooms.byId.values()].filter(({ forgotten }) => !forgotten)
  const asked = all.filter(({ membership }) => membership === 'leave' || (membership === 'invite' && mayHide))
  const events = await findEventsByNid(
    engine,
    asked.map(({ eventNid }) => eventNid),
  )
  return all.filter(({ membership, eventNid }) => {
    const sender = events.get(eventNid)?.sender
    if (membership === 'leave') return sender !== undefined && sender !== userId
    return membership !== 'invite' || sender === undefined || !isInviteHidden(hidden, sender)
  })
}
