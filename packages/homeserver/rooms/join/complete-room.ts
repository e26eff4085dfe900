import type { Membership } from '@causeway/matrix/event-auth/membership.ts'
import type { EventId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { MemberChange } from '@causeway/store/log/entry.ts'
import { unpackStateKey } from '@causeway/matrix/event-auth/state-key.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { internKeys } from '@causeway/store/state/keys.ts'
import { getMany } from '@causeway/store/state/tree.ts'
import { notePartialRoomWhole } from '@causeway/store/tables/partial-rooms.ts'
import { listRoomMemberships, type MembershipRow } from '@causeway/store/tables/rooms.ts'
import { listStateRoots } from '@causeway/store/tables/state-roots.ts'
import type { RoomEngine } from '../engine.ts'
import { findHead } from '../load-head.ts'
import { persistEvents } from '../persist.ts'
import { findEventsByNid } from '../read-events.ts'
import { beginWrite, changeRoot, type RoomWrite } from '../room-write.ts'
import type { CheckedRoom } from './check-answer.ts'
import { memberRows, type ToldMember } from './install-members.ts'
import { addOutliers, type InstalledEvents } from './install-state.ts'
import type { PartialRoom } from './partial-rooms.ts'
import { Rerooting } from './reroot.ts'

/** Events of the room that are read anew at once. */
const PORTION = 500

/**
 * Gives a room that was joined fast the state it has lacked since, in one commit: every state since our join gains what
 * was missing, unless something set it meanwhile; memberships and servers become complete; and readers that were not
 * shown the room yet are told of it. Resolves with false when the room is not partial any more.
 */
export function completeRoom(engine: RoomEngine, partial: PartialRoom, told: CheckedRoom): Promise<boolean> {
  // The queue is held until the write is durable: the roots in memory change with it.
  return engine.queue.serial(partial.roomId, async () => {
    // What was handed to the log before ends first: its rows are among those that change.
    await engine.db.commit({ entries: [], steps: [] })
    const head = await findHead(engine, partial.roomId)
    if (head === undefined || engine.partial.find(partial.roomNid)?.eventId !== partial.eventId) return false
    const write = beginWrite(head)
    const completion = await build(engine, write, partial, told)
    const whole = { kind: 'room_whole' as const, position: 0, roomId: head.roomId, roomNid: head.roomNid }
    const logged = write.events.filter(({ place }) => place === 'log').length
    const steps = [notePartialRoomWhole(head.roomNid, { position: logged })]
    const result = await persistEvents(engine, write, { entries: [whole], steps }).settled
    head.state.clear()
    if (!result.ok) throw new Error(`the members of ${head.roomId} could not be stored: step ${result.step}`)
    await refresh(engine, head.roomNid, completion)
    engine.partial.becameWhole(head.roomNid, whole.position)
    return true
  })
}

interface Completion {
  readonly rerooted: readonly number[]
  readonly stateNids: readonly number[]
  readonly told: readonly ToldMember[]
}

async function build(
  engine: RoomEngine,
  write: RoomWrite,
  partial: PartialRoom,
  told: CheckedRoom,
): Promise<Completion> {
  const { head } = write
  const join = (await findEventsByNid(engine, [partial.eventNid])).get(partial.eventNid)
  if (join === undefined) throw new Error(`the join ${partial.eventId} is missing`)
  const known = await listRoomMemberships(engine.db, head.roomNid)
  const fresh = ofOurs(engine, told, known)
  const installed = await addOutliers(engine, write, told.ordered, fresh)
  const missing = await missingAt(write, join.stateBefore, told, installed)
  const whole = await changeRoot(write, join.stateBefore, missing)
  const rerooting = new Rerooting(write, join.stateBefore, whole)
  const rows = await listStateRoots(engine.db, head.roomNid, partial.eventNid)
  const rerooted = await rerooting.rows(rows)
  const current = write.stateRoot
  write.stateRoot = await rerooting.rootOf(current, current)
  const extremities = []
  for (const tip of write.extremities) {
    extremities.push({ ...tip, root: await rerooting.rootOf(tip.root, current) })
  }
  write.extremities = extremities
  const members = newMembers(told, installed, known)
  write.memberChanges = changesOf(write, fresh, known)
  write.steps.push(
    ...memberRows({
      roomNid: head.roomNid,
      serverName: engine.serverName,
      told: [...members, ...known.map(asTold)],
      known,
      servers: [],
      beginning: partial.eventNid,
    }),
  )
  return { rerooted, stateNids: rows.map((row) => row.state_nid), told: members }
}

/** What the state before our join lacks of what was told; what it has, it was told before, and is kept. */
async function missingAt(
  write: RoomWrite,
  root: number,
  { state }: CheckedRoom,
  installed: InstalledEvents,
): Promise<[number, number][]> {
  const { head } = write
  const entries = [...state]
  const names = entries.map(([key]) => {
    const [type, stateKey] = unpackStateKey(key)
    return { type, stateKey }
  })
  let nextKey = write.next.key
  const { keyNids, newKeys } = await internKeys(head.keys, head.roomNid, names, () => nextKey++)
  head.keys.add(newKeys)
  for (const key of newKeys) write.newKeys.push(key)
  write.next = { ...write.next, key: nextKey }
  const values = await getMany(head.nodes, head.roomNid, root, keyNids)
  return entries.flatMap(([, pdu], index): [number, number][] =>
    values[index] === undefined ? [[keyNids[index]!, installed.get(pdu.event.eventId)!.stateNid]] : [],
  )
}

/** Members that nothing was known of: whoever changed theirs since our join is known by that. */
function newMembers(
  { state }: CheckedRoom,
  installed: InstalledEvents,
  known: readonly MembershipRow[],
): ToldMember[] {
  const users = new Set(known.map((row) => row.user_id))
  return [...state].flatMap(([key, { event }]) => {
    const [type, stateKey] = unpackStateKey(key)
    if (type !== 'm.room.member' || users.has(stateKey)) return []
    const membership = event.pdu.content['membership'] as Membership
    return [{ userId: stateKey as UserId, membership, nid: installed.get(event.eventId)!.nid }]
  })
}

function asTold(row: MembershipRow): ToldMember {
  return { userId: row.user_id as UserId, membership: row.membership as Membership, nid: row.event_nid }
}

/** Memberships of users of ours that we did not know of: each is told in the log. */
function ofOurs(engine: RoomEngine, { state }: CheckedRoom, known: readonly MembershipRow[]): Set<EventId> {
  const users = new Set(known.map((row) => row.user_id))
  const fresh = new Set<EventId>()
  for (const [key, { event }] of state) {
    const [type, userId] = unpackStateKey(key)
    if (type !== 'm.room.member' || users.has(userId)) continue
    if (serverNameOf(userId as UserId) === engine.serverName) fresh.add(event.eventId)
  }
  return fresh
}

function changesOf(
  write: RoomWrite,
  fresh: ReadonlySet<EventId>,
  known: readonly MembershipRow[],
): MemberChange[] {
  const before = new Map(known.map((row) => [row.user_id, row.membership as Membership]))
  return write.events
    .map(({ stored }) => stored)
    .filter(({ eventId }) => fresh.has(eventId))
    .map((event) => ({
      userId: event.stateKey as UserId,
      before: before.get(event.stateKey!),
      membership: event.content['membership'] as Membership,
      event,
    }))
}

/** Whatever is in memory of the room's states is read anew. */
async function refresh(
  engine: RoomEngine,
  roomNid: number,
  { rerooted, stateNids, told }: Completion,
): Promise<void> {
  engine.events.deleteWhere((_eventId, event) => event.roomNid === roomNid)
  for (const stateNid of stateNids) engine.stateEntries.delete(`${roomNid}:${stateNid}`)
  const oldest = engine.log.ring.floor()
  const inRing = rerooted.filter((nid) => nid > oldest)
  for (let at = 0; at < inRing.length; at += PORTION) {
    const events = await findEventsByNid(engine, inRing.slice(at, at + PORTION))
    for (const event of events.values()) engine.log.ring.replaceEvent(event)
  }
  const [any] = rerooted
  const event = any === undefined ? undefined : (await findEventsByNid(engine, [any])).get(any)
  if (event === undefined) return
  for (const { userId, membership } of told) {
    if (serverNameOf(userId) !== engine.serverName) engine.members.apply({ userId, membership, event })
  }
}
