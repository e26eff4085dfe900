// https://spec.matrix.org/v1.19/client-server-api/#tracking-the-device-list-for-a-user
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { LogEntry, StoredEvent } from '@causeway/store/log/entry.ts'
import { listSignedUsers } from '@causeway/store/tables/cross-signing.ts'
import {
  listChangedDeviceLists,
  listJoinedRoomsOf,
  listJoinedRoomsOfMembers,
} from '@causeway/store/tables/device-lists.ts'
import type { Homeserver } from '../homeserver.ts'
import { getRoomByNid } from '../rooms/load-head.ts'
import type { UserRooms } from '../rooms/membership-index.ts'
import { readNewestState } from '../rooms/newest-state.ts'
import {
  collectStays,
  memberEventsOf,
  readMemberEvents,
  type LogRange,
  type Stay,
  type Stays,
} from './member-changes.ts'
import { sharingOf, type ReaderRooms, type Sharing } from './sharing.ts'

/** Users whose device lists a client has to fetch anew, and those it need not follow any more. */
export interface DeviceListChanges {
  changed: UserId[]
  left: UserId[]
}

export interface DeviceListQuestion extends LogRange {
  readonly userId: UserId
  /** The reader's rooms as of now. */
  readonly rooms: UserRooms
  /** Log entries in (after, upTo] of the reader's rooms and own; undefined when they are not in memory. */
  readonly entries: readonly LogEntry[] | undefined
}

type Deps = Pick<Homeserver, 'db' | 'log' | 'rooms'>

/**
 * What a stretch of the log means for the device lists that one user follows. `changed`: those with whom a room
 * was shared at any time in it and whose devices changed, or who began to share one, be it again; `left`: those with whom the
 * last shared room ended. Undefined when there is neither. Nothing is read from the database unless somebody's
 * devices changed, somebody joined or left, or the stretch is no longer in memory. Where tens of thousands of
 * state events lie in it, everybody counts as changed.
 */
export async function findDeviceListChanges(
  hs: Deps,
  question: DeviceListQuestion,
): Promise<DeviceListChanges | undefined> {
  const events = await readOwnMemberEvents(hs, question)
  if (events === undefined) return everybody(hs, question)
  const completed = await completedRooms(hs, question)
  if (events.length === 0 && completed.size === 0 && !mayHaveChangedDevices(hs, question)) return undefined
  const stays = await collectStays(hs.rooms, events)
  const reader = readerRoomsOf(question.rooms, stays.get(question.userId))
  const { devices: changed, signed } = await readChangedUsers(hs, question, reader, stays)
  const devices = new Set([...changed, ...(await readChangedUnseen(hs, question, completed))])
  const came = new Map([...completed].filter(([, room]) => room.isEncrypted))
  const all = [...reader.changing.keys(), ...came.keys()]
  const joined = await readJoinedRooms(hs, reader, all, new Set([...devices, ...stays.keys()]))
  const meetsMore = isInPartialRoom(hs, question, reader)
  const found = compare(hs, question.userId, { reader, stays, came, devices, signed, joined, meetsMore })
  return found.changed.length === 0 && found.left.length === 0 ? undefined : found
}

/** A room that was joined fast and whose members came in the stretch. */
interface CompletedRoom {
  /** When they came. */
  readonly position: number
  /** When the room was joined. */
  readonly joinedAt: number
  readonly isEncrypted: boolean
}

type CompletedRooms = ReadonlyMap<number, CompletedRoom>

/**
 * Rooms that were joined fast and whose members came in the stretch. The reader did not come into them then: they were
 * there since the join, and with them everybody who was known to be.
 */
async function completedRooms(
  { rooms: engine }: Deps,
  { rooms, after, upTo }: DeviceListQuestion,
): Promise<CompletedRooms> {
  const { partial } = engine
  const completed = new Map<number, CompletedRoom>()
  if (partial.lastWhole() <= after) return completed
  for (const roomId of rooms.joined) {
    const { roomNid } = rooms.byId.get(roomId)!
    const position = partial.wholeSince(roomNid) ?? 0
    if (position <= after || position > upTo) continue
    const room = await getRoomByNid(engine, roomNid)
    const [encryption] = await readNewestState(engine, room, [{ type: 'm.room.encryption', stateKey: '' }])
    const joinedAt = partial.partialSince(roomNid) ?? position
    completed.set(roomNid, { position, joinedAt, isEncrypted: encryption !== undefined })
  }
  return completed
}

/**
 * Users of other servers whose devices changed while it was not known that they are members of a room: readers could not
 * be told. In encrypted rooms whoever came is news anyway; in others nobody needs to know the devices of all members.
 */
async function readChangedUnseen(
  { db, rooms }: Deps,
  { upTo }: DeviceListQuestion,
  completed: CompletedRooms,
): Promise<UserId[]> {
  const found: UserId[] = []
  for (const [roomNid, { joinedAt, isEncrypted }] of completed) {
    if (isEncrypted) continue
    const members = { roomNids: [roomNid], userIds: [] }
    const changed = await listChangedDeviceLists(db, { after: joinedAt, upTo }, members)
    found.push(...(changed as UserId[]).filter((userId) => serverNameOf(userId) !== rooms.serverName))
  }
  return found
}

/** Whether the reader came into a room of whose members most are not known yet. */
function isInPartialRoom(
  { rooms: { partial } }: Deps,
  { upTo }: DeviceListQuestion,
  { changing }: ReaderRooms,
): boolean {
  return [...changing].some(
    ([roomNid, stay]) =>
      isComingIn(stay) && (partial.find(roomNid) !== undefined || (partial.wholeSince(roomNid) ?? 0) > upTo),
  )
}

/** All with whom a room is shared: what is always right, if more than needed, after a very long absence. */
async function everybody(hs: Deps, { userId, rooms }: DeviceListQuestion): Promise<DeviceListChanges> {
  const { steady } = readerRoomsOf(rooms)
  const rows = await listJoinedRoomsOfMembers(hs.db, [...steady], [...steady])
  return { changed: [...new Set([userId, ...rows.map((row) => row.user_id as UserId)])], left: [] }
}

interface Facts {
  /** Users whose master key the reader signed. */
  readonly signed: readonly UserId[]
  readonly reader: ReaderRooms
  readonly stays: Stays
  /** Rooms whose members came in the stretch and are news therefore. */
  readonly came: CompletedRooms
  /** Users whose devices changed. */
  readonly devices: ReadonlySet<UserId>
  /** Which of the reader's rooms each user in question is joined to now. */
  readonly joined: ReadonlyMap<UserId, ReadonlySet<number>>
  /** The reader came into a room with people who are not known yet. */
  readonly meetsMore: boolean
}

function compare(
  hs: Deps,
  userId: UserId,
  { reader, stays, came, devices, signed, joined, meetsMore }: Facts,
): DeviceListChanges {
  const found: DeviceListChanges = { changed: [...signed], left: [] }
  let meets = meetsMore
  for (const [other, rooms] of joined) {
    if (other === userId) continue
    const sharing = sharingOf(reader, rooms, withCame(stays.get(other), rooms, came))
    if (!sharing.atAnyTime) continue
    const isNews = !sharing.atStart || devices.has(other) || wasOutOfSight(hs, other, sharing)
    if (isNews && !signed.includes(other)) found.changed.push(other)
    if (!sharing.atEnd) found.left.push(other)
    else if (!sharing.atStart) meets = true
  }
  if (devices.has(userId) || (meets && cameIn(reader))) found.changed.push(userId)
  return found
}

/** Who left and came back may have changed devices meanwhile, of which their server, not ours, told us nothing. */
function wasOutOfSight({ rooms }: Deps, userId: UserId, { throughout, atEnd }: Sharing): boolean {
  return atEnd && !throughout && serverNameOf(userId) !== rooms.serverName
}

/** The stays of somebody who came with all members of a room, as far as is known: who was there before is among them. */
function withCame(
  stays: ReadonlyMap<number, Stay> | undefined,
  joined: ReadonlySet<number>,
  came: CompletedRooms,
): ReadonlyMap<number, Stay> | undefined {
  if (came.size === 0) return stays
  const all = new Map(stays)
  for (const [roomNid, { position }] of came) {
    if (!joined.has(roomNid) || all.has(roomNid)) continue
    all.set(roomNid, { wasJoined: false, changes: [{ position, isJoined: true }] })
  }
  return all
}

/** The reader came into a room. Who is new to them there may hear from any of their devices, which shall know each other. */
function cameIn({ changing }: ReaderRooms): boolean {
  return [...changing.values()].some(isComingIn)
}

function isComingIn({ wasJoined, changes }: Stay): boolean {
  return !wasJoined && changes.at(-1)?.isJoined === true
}

function mayHaveChangedDevices(hs: Deps, { after }: LogRange): boolean {
  return hs.log.changes.device_list.last() > after
}

/** Membership events in the rooms that the reader was in at any time of the stretch. */
async function readOwnMemberEvents(
  hs: Deps,
  { rooms, entries, after, upTo }: DeviceListQuestion,
): Promise<StoredEvent[] | undefined> {
  const inMemory = memberEventsOf(entries ?? [])
  const absent: number[] = []
  const wanted = new Set<number>()
  if (inMemory.length > 0 || entries === undefined || rooms.lastLeft > after) {
    for (const room of rooms.byId.values()) {
      // A room left before the stretch began concerns nobody.
      if (room.membership !== 'join' && room.eventNid <= after) continue
      wanted.add(room.roomNid)
      if (entries === undefined && hs.log.changes.event.mayHaveChanged(room.roomId, after))
        absent.push(room.roomNid)
    }
  }
  const stored = await readMemberEvents(hs.rooms, absent, { after, upTo })
  if (stored === undefined) return undefined
  return [...inMemory.filter((event) => wanted.has(event.roomNid)), ...stored]
}

function readerRoomsOf(rooms: UserRooms, changing: ReaderRooms['changing'] = new Map()): ReaderRooms {
  const steady = new Set<number>()
  for (const roomId of rooms.joined) {
    const { roomNid } = rooms.byId.get(roomId)!
    if (!changing.has(roomNid)) steady.add(roomNid)
  }
  return { steady, changing }
}

/** Users whose devices changed: from the log in memory, strangers too; else from the tables, without strangers. */
async function readChangedUsers(
  hs: Deps,
  question: DeviceListQuestion,
  reader: ReaderRooms,
  stays: Stays,
): Promise<{ devices: ReadonlySet<UserId>; signed: readonly UserId[] }> {
  const { userId, after, upTo } = question
  if (!mayHaveChangedDevices(hs, question)) return { devices: new Set(), signed: [] }
  const held = hs.log.ring.since(after)
  if (held === 'fell-behind') {
    const roomNids = [...reader.steady, ...reader.changing.keys()]
    const userIds = [userId, ...stays.keys()]
    const [devices, signed] = await Promise.all([
      listChangedDeviceLists(hs.db, question, { roomNids, userIds }),
      listSignedUsers(hs.db, userId, question),
    ])
    return { devices: new Set(devices as UserId[]), signed: signed as UserId[] }
  }
  const devices = new Set<UserId>()
  const signed = new Set<UserId>()
  for (const entry of held) {
    if (entry.kind !== 'device_list' || entry.position > upTo) continue
    if (entry.signedUserId === undefined) devices.add(entry.userId)
    else if (entry.userId === userId) signed.add(entry.signedUserId)
  }
  return { devices, signed: [...signed] }
}

/** Up to so many users, their rooms are looked up one by one, mostly in memory. */
const FEW_USERS = 50

/** The reader's rooms that others are joined to now: the users asked for, and all members of some rooms. */
async function readJoinedRooms(
  hs: Deps,
  { steady, changing }: ReaderRooms,
  allOf: readonly number[],
  users: ReadonlySet<UserId>,
): Promise<Map<UserId, Set<number>>> {
  const joined = new Map<UserId, Set<number>>([...users].map((userId) => [userId, new Set()]))
  const mine = new Set([...steady, ...changing.keys()])
  const note = (userId: UserId, roomNid: number): void => {
    const rooms = joined.get(userId)
    if (rooms === undefined) joined.set(userId, new Set([roomNid]))
    else rooms.add(roomNid)
  }
  const rows = users.size > FEW_USERS ? await listJoinedRoomsOf(hs.db, [...users], [...mine]) : []
  if (allOf.length > 0) rows.push(...(await listJoinedRoomsOfMembers(hs.db, allOf, [...mine])))
  for (const row of rows) note(row.user_id as UserId, row.room_nid)
  if (users.size > FEW_USERS) return joined
  for (const userId of users) {
    for (const room of (await hs.rooms.members.roomsOf(userId)).byId.values())
      if (room.membership === 'join' && mine.has(room.roomNid)) note(userId, room.roomNid)
  }
  return joined
}
