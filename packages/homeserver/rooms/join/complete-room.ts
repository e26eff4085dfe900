import type { Membership } from '@causeway/matrix/event-auth/membership.ts'
import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { MemberChange, RoomWholeEntry, StoredEvent } from '@causeway/store/log/entry.ts'
import { packStateKey, unpackStateKey } from '@causeway/matrix/event-auth/state-key.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { internKeys } from '@causeway/store/state/keys.ts'
import type { StateDifference } from '@causeway/store/state/diff.ts'
import { getMany } from '@causeway/store/state/tree.ts'
import { markDevicesUnsentSince } from '@causeway/store/tables/outbound.ts'
import { notePartialRoomWhole } from '@causeway/store/tables/partial-rooms.ts'
import { listRoomMemberships, MEMBERSHIPS, type MembershipRow } from '@causeway/store/tables/rooms.ts'
import type { RoomEngine } from '../engine.ts'
import { findHead } from '../load-head.ts'
import { persistEvents, roomSettled } from '../persist.ts'
import { findEventsByNid } from '../read-events.ts'
import { abandonWrite, beginWrite, changeRoot, numberOf, type RoomWrite } from '../room-write.ts'
import { listStateChanges, memberChangeOf, type StateChange } from '../state/advance-room-state.ts'
import { acceptAfterAll } from './accept-after-all.ts'
import type { CheckedRoom } from './check-answer.ts'
import { memberRows, type ToldMember } from './install-members.ts'
import type { PartialRoom } from './partial-rooms.ts'
import { forgetJudged, judgeSinceJoin, type Judgement } from './rejudge.ts'
import { createRerooting } from './reroot.ts'
import { storeTold, type HeldEvents } from './store-told.ts'
import { newMembershipsOfOurs } from './new-memberships.ts'

/** What came of the events that were judged while the room was partial. */
export interface CompletedRoom {
  /** Shown before, refused now. */
  readonly takenBack: number
  /** Refused before, shown now. */
  readonly acceptedAfterAll: number
}

/**
 * Gives a room that was joined fast the state it has lacked since: first its events, in portions between other writes
 * of the room; then, in one commit, every state since our join, each event judged anew by them, memberships and
 * servers; and readers that were not shown the room yet are told of it. Resolves with undefined when the room is not
 * partial any more. @param onStored is told how many of the events are held
 */
export async function completeRoom(
  engine: RoomEngine,
  partial: PartialRoom,
  told: CheckedRoom,
  onStored: (count: number) => void = () => undefined,
): Promise<CompletedRoom | undefined> {
  const held = await storeTold(engine, partial, told, onStored)
  if (held === undefined) return undefined
  // The queue is held until the write is durable: the roots in memory change with it.
  return engine.queue.serial(partial.roomId, async () => {
    // What was handed to the log before ends first: its rows are among those that change.
    await roomSettled(engine, partial.roomId)
    const head = await findHead(engine, partial.roomId)
    if (head === undefined || engine.partial.find(partial.roomNid)?.eventId !== partial.eventId)
      return undefined
    // What is remembered of its state, and of how branches resolved, is of before.
    head.state.clear()
    engine.resolutions.deleteWhere((key) => key.startsWith(`${head.roomNid}:`))
    return complete(engine, beginWrite(head), { partial, told, held })
  })
}

interface Input {
  readonly partial: PartialRoom
  readonly told: CheckedRoom
  readonly held: HeldEvents
}

async function complete(engine: RoomEngine, write: RoomWrite, input: Input): Promise<CompletedRoom> {
  const { head } = write
  const { roomId, roomNid } = head
  try {
    const completion = await build(engine, write, input)
    const { judgement, memberChanges, missedServers } = completion
    const isOverturned = judgement.takenBack + judgement.acceptedAfterAll.length + memberChanges.length > 0
    const whole: RoomWholeEntry = {
      ...{ kind: 'room_whole', position: 0, roomId, roomNid },
      ...{ memberChanges, missedServers },
    }
    // Who is woken by the entry reads all of it anew.
    engine.partial.expectWhole(roomNid, (position) => {
      refresh(engine, write, completion)
      engine.partial.becameWhole(roomNid, position, isOverturned)
    })
    const logged = write.events.filter(({ place }) => place === 'log').length
    const steps = [notePartialRoomWhole(roomNid, { position: logged }, isOverturned)]
    const result = await persistEvents(engine, write, { entries: [whole], steps }).settled
    if (!result.ok) throw new Error(`the members of ${roomId} could not be stored: step ${result.step}`)
    // The log may have run ahead of who follows it.
    engine.partial.logged(roomNid, whole.position)
    return { takenBack: judgement.takenBack, acceptedAfterAll: judgement.acceptedAfterAll.length }
  } catch (error) {
    abandonWrite(write)
    throw error
  } finally {
    engine.partial.stayPartial(roomNid)
    head.state.clear()
  }
}

interface Completion {
  readonly join: StoredEvent
  readonly judgement: Judgement
  readonly told: readonly ToldMember[]
  readonly memberChanges: readonly MemberChange[]
  readonly missedServers: readonly ServerName[]
}

async function build(
  engine: RoomEngine,
  write: RoomWrite,
  { partial, told, held }: Input,
): Promise<Completion> {
  const { head } = write
  const join = (await findEventsByNid(engine, [partial.eventNid])).get(partial.eventNid)
  if (join === undefined) throw new Error(`the join ${partial.eventId} is missing`)
  const known = await listRoomMemberships(engine.db, head.roomNid)
  const missing = await missingAt(write, join.stateBefore, told, held)
  const whole = await changeRoot(write, join.stateBefore, missing)
  const rerooting = createRerooting(write, join.stateBefore, whole)
  const from = { joinNid: partial.eventNid, whole, rerooting }
  const judgement = await judgeSinceJoin(engine, write, from)
  try {
    if (judgement.extremities.length === 0)
      throw new Error(`the whole state does not allow ${partial.eventId}`)
    write.stateRoot = judgement.stateRoot
    write.extremities = judgement.extremities
    const changes = await overturnedState(engine, write, new Map(missing))
    await acceptAfterAll(engine, write, judgement.acceptedAfterAll)
    const fresh = await newMembershipsOfOurs(engine, told, known)
    const memberChanges = [
      ...changes.flatMap(memberChangeOf).map((change) => asWritten(write, change)),
      ...fresh,
    ]
    // The entry that says that the room is whole carries them.
    write.memberChanges = []
    const members = newMembers(told, held, known)
    const changed = new Map(memberChanges.map((change) => [change.userId, change]))
    write.steps.push(
      ...memberRows({
        roomNid: head.roomNid,
        serverName: engine.serverName,
        told: [
          ...[...members, ...known.map(asTold)].filter(({ userId }) => !changed.has(userId)),
          ...memberChanges.map((change) => changedMember(write, change)),
        ],
        known,
        servers: [],
        beginning: partial.eventNid,
      }),
      ...memberChanges.flatMap((change) => localRow(engine, write, change)),
    )
    const missedServers = serversMissed(engine, partial, told, judgement)
    for (const server of missedServers) write.steps.push(markDevicesUnsentSince(server, partial.eventNid))
    return { join, judgement, told: members, memberChanges, missedServers }
  } finally {
    forgetJudged(write, judgement)
  }
}

/** What the state before our join lacks of what was told; what it has, it was told before, and is kept. */
async function missingAt(
  write: RoomWrite,
  root: number,
  { state }: CheckedRoom,
  held: HeldEvents,
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
    values[index] === undefined ? [[keyNids[index]!, held.get(pdu.event.eventId)!.stateNid]] : [],
  )
}

/**
 * What of the current state is another thing than it was taken for, beside what was merely missing: for readers of
 * this write and for who follows the members.
 */
async function overturnedState(
  engine: RoomEngine,
  write: RoomWrite,
  missing: ReadonlyMap<number, number>,
): Promise<StateChange[]> {
  const states = { from: write.head.stateRoot, to: write.stateRoot }
  const isOther = ({ keyNid, before, after }: StateDifference): boolean =>
    before !== undefined || missing.get(keyNid) !== after
  const changes = await listStateChanges(engine, write, states, isOther)
  for (const { type, stateKey, after } of changes) {
    write.state.set(packStateKey(type, stateKey), after ?? null)
  }
  return changes
}

/** With the event as this write numbers it. */
function asWritten({ events }: RoomWrite, change: MemberChange): MemberChange {
  const written = events.find(({ stored }) => stored.eventId === change.event.eventId)
  return written === undefined ? change : { ...change, event: written.stored }
}

function changedMember(write: RoomWrite, { userId, membership, event }: MemberChange): ToldMember {
  const written = write.events.find(({ stored }) => stored === event)
  return { userId, membership, nid: written === undefined ? event.nid : numberOf(write, written) }
}

/** `memberRows` leaves users of ours alone. */
function localRow({ serverName }: RoomEngine, write: RoomWrite, change: MemberChange) {
  if (serverNameOf(change.userId) !== serverName) return []
  const { userId, membership, nid } = changedMember(write, change)
  return [{ into: MEMBERSHIPS, values: [userId, write.head.roomNid, membership, nid, 1, 0] }]
}

/** Members that nothing was known of: whoever changed theirs since our join is known by that. */
function newMembers({ state }: CheckedRoom, held: HeldEvents, known: readonly MembershipRow[]): ToldMember[] {
  const users = new Set(known.map((row) => row.user_id))
  return [...state].flatMap(([key, { event }]) => {
    const [type, stateKey] = unpackStateKey(key)
    if (type !== 'm.room.member' || users.has(stateKey)) return []
    const membership = event.pdu.content['membership'] as Membership
    return [{ userId: stateKey as UserId, membership, nid: held.get(event.eventId)!.nid }]
  })
}

function asTold(row: MembershipRow): ToldMember {
  return { userId: row.user_id as UserId, membership: row.membership as Membership, nid: row.event_nid }
}

/**
 * Servers that were in the room at any time since our join and that we may not have told of our users' devices: all
 * but those that we were told of when we joined.
 */
function serversMissed(
  { serverName }: RoomEngine,
  { servers }: PartialRoom,
  { state }: CheckedRoom,
  { cameIn }: Judgement,
): ServerName[] {
  const all = new Set(cameIn)
  for (const [key, { event }] of state) {
    const [type, userId] = unpackStateKey(key)
    const isJoined = type === 'm.room.member' && event.pdu.content['membership'] === 'join'
    if (isJoined) all.add(serverNameOf(userId as UserId))
  }
  for (const server of [serverName, ...servers]) all.delete(server)
  return [...all]
}

/** Whatever is in memory of the room's states is read anew. */
function refresh(engine: RoomEngine, { head }: RoomWrite, { join, judgement, told }: Completion): void {
  const { roomNid } = head
  head.state.clear()
  engine.events.deleteWhere((_eventId, event) => event.roomNid === roomNid)
  for (const stateNid of judgement.stateNids) engine.stateEntries.delete(`${roomNid}:${stateNid}`)
  engine.authGraphs.delete(roomNid)
  for (const event of judgement.inMemory) engine.log.ring.replaceEvent(event)
  for (const { userId, membership } of told) {
    if (serverNameOf(userId) !== engine.serverName) engine.members.apply({ userId, membership, event: join })
  }
}
