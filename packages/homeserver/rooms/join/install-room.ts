import type { EventId, RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { Membership } from '@causeway/matrix/event-auth/membership.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import type { MemberChange, StoredEvent } from '@causeway/store/log/entry.ts'
import { packStateKey, unpackStateKey } from '@causeway/matrix/event-auth/state-key.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { noteBackwardExtremity } from '@causeway/store/tables/backward-extremities.ts'
import { findHeldEvents } from '@causeway/store/tables/held-events.ts'
import { deletePartialRoom, PARTIAL_ROOMS } from '@causeway/store/tables/partial-rooms.ts'
import { listRoomMemberships, type MembershipRow } from '@causeway/store/tables/rooms.ts'
import { deleteStrippedState } from '@causeway/store/tables/stripped-states.ts'
import type { RoomEngine } from '../engine.ts'
import { findHead } from '../load-head.ts'
import { persistEvents, roomSettled } from '../persist.ts'
import { findEvents, isShown } from '../read-events.ts'
import { authIdsOf } from '../receive/auth-lookup.ts'
import type { VerifiedPdu } from '../receive/verify-pdus.ts'
import { abandonWrite, beginWrite, type RoomWrite } from '../room-write.ts'
import { DEEPEST } from '../stored-event.ts'
import { addJoin } from './add-join.ts'
import type { CheckedRoom } from './check-answer.ts'
import { memberRows, type ToldMember } from './install-members.ts'
import { addOutliers, setWholeState, type InstalledEvents } from './install-state.ts'
import { newHead } from './new-head.ts'

/** A room as a resident server told it, checked, with our join. */
export interface RoomToInstall {
  readonly roomId: RoomId
  readonly rules: RoomVersionRules
  readonly join: VerifiedPdu
  readonly room: CheckedRoom
  /** Set where members were left out: who is in the room, by the resident's word, the one we asked first. */
  readonly partial: { readonly servers: readonly ServerName[] } | undefined
}

/** Somebody of ours came into the room while we asked: it is live, and must not be laid over. */
export class RoomIsLive extends Error {
  override readonly name = 'RoomIsLive'
}

/**
 * Puts a room that we join into the store, in one commit: its state as events beside the graph, who is in it, and
 * our join as the newest event and the only end of the graph. A room that was known before keeps what it has; its
 * state becomes what was told. Resolves with the join once it is durable.
 */
export function installRoom(engine: RoomEngine, input: RoomToInstall): Promise<StoredEvent> {
  // The queue is held until the write is durable: what is read of the room next is what the write left.
  return engine.queue.serial(input.roomId, async () => {
    await roomSettled(engine, input.roomId)
    const head = (await findHead(engine, input.roomId)) ?? newHead(engine, input.roomId, input.rules)
    if ((await engine.members.localMembers(head.roomNid)).size > 0) {
      throw new RoomIsLive(`Somebody of this server is in ${input.roomId} already`)
    }
    const write = beginWrite(head)
    const install = await buildInstall(engine, write, input).catch((error: unknown) => {
      abandonWrite(write)
      throw error
    })
    head.state.clear()
    const result = await persistEvents(engine, write).settled
    head.state.clear()
    if (!result.ok) throw new MatrixError('M_UNKNOWN', 'The room could not be stored; try again')
    afterInstall(engine, write, input, install)
    return install.join
  })
}

interface Install {
  readonly join: StoredEvent
  readonly told: readonly ToldMember[]
}

async function buildInstall(engine: RoomEngine, write: RoomWrite, input: RoomToInstall): Promise<Install> {
  const { head } = write
  const known = head.version === 0 ? [] : await listRoomMemberships(engine.db, head.roomNid)
  const joiner = input.join.event.pdu.sender
  const changed = changesOfOurs(engine, input, joiner, known)
  const installed = await addOutliers(engine, write, input.room.ordered, changed)
  await setWholeState(write, input.room, installed)
  write.extremities = []
  const replaced = input.room.state.get(packStateKey('m.room.member', joiner))
  const before = replaced?.event.pdu.content['membership'] as Membership | undefined
  const auth = authIdsOf(head.rules, input.join.event).flatMap((id) => installed.get(id)?.stateNid ?? [])
  const logged = write.events.filter(({ place }) => place === 'log').length
  const { stored } = await addJoin(write, input.join, { auth })
  write.memberChanges = await memberChanges(engine, write, { changed, known, join: stored, before })
  const told = toldMembers(input, installed, joiner)
  const join = { position: logged }
  write.steps.push(
    ...memberRows({
      roomNid: head.roomNid,
      serverName: engine.serverName,
      told,
      known,
      servers: input.partial?.servers ?? [],
      beginning: join,
    }),
    deleteStrippedState(head.roomNid, joiner),
    deletePartialRoom(head.roomNid),
    ...partialRow(engine, write, input, join, told.length),
  )
  await noteGaps(engine, write, input.join, join)
  return { join: stored, told }
}

/** Users of ours whose membership is another one by what was told. */
function changesOfOurs(
  engine: RoomEngine,
  { room }: RoomToInstall,
  joiner: UserId,
  known: readonly MembershipRow[],
): Set<EventId> {
  const before = new Map(known.map((row) => [row.user_id, row.membership]))
  const changed = new Set<EventId>()
  for (const [key, { event }] of room.state) {
    const [type, userId] = unpackStateKey(key)
    if (type !== 'm.room.member' || userId === joiner) continue
    if (serverNameOf(userId as UserId) !== engine.serverName) continue
    if (before.get(userId) !== event.pdu.content['membership']) changed.add(event.eventId)
  }
  return changed
}

async function memberChanges(
  engine: RoomEngine,
  write: RoomWrite,
  input: {
    readonly changed: ReadonlySet<EventId>
    readonly known: readonly MembershipRow[]
    readonly join: StoredEvent
    readonly before: Membership | undefined
  },
): Promise<MemberChange[]> {
  const before = new Map(input.known.map((row) => [row.user_id, row.membership as Membership]))
  const added = write.events.map(({ stored }) => stored).filter(({ eventId }) => input.changed.has(eventId))
  const ids = new Set(added.map(({ eventId }) => eventId))
  const held = await findEvents(
    engine,
    [...input.changed].filter((id) => !ids.has(id)),
  )
  const changes = [...added, ...held.values()].map((event): MemberChange => {
    const userId = event.stateKey as UserId
    return {
      userId,
      before: before.get(userId),
      membership: event.content['membership'] as Membership,
      event,
    }
  })
  const { join } = input
  changes.push({ userId: join.sender, before: input.before, membership: 'join', event: join })
  return changes
}

function toldMembers({ room }: RoomToInstall, installed: InstalledEvents, joiner: UserId): ToldMember[] {
  return [...room.state].flatMap(([key, { event }]) => {
    const [type, stateKey] = unpackStateKey(key)
    if (type !== 'm.room.member' || stateKey === joiner) return []
    const { nid } = installed.get(event.eventId)!
    const membership = event.pdu.content['membership'] as Membership
    return [{ userId: stateKey as UserId, membership, nid }]
  })
}

function partialRow(
  engine: RoomEngine,
  { head }: RoomWrite,
  { partial, join }: RoomToInstall,
  nid: { readonly position: number },
  membersKnown: number,
) {
  if (partial === undefined) return []
  const servers = JSON.stringify(partial.servers)
  const { eventId } = join.event
  return [
    {
      into: PARTIAL_ROOMS,
      values: [head.roomNid, head.roomId, eventId, nid, servers, membersKnown, engine.clock.now(), 0, 0, 0],
    },
  ]
}

/** What the join points at is not here, but where we were in the room before. */
async function noteGaps(
  engine: RoomEngine,
  write: RoomWrite,
  { event }: VerifiedPdu,
  nid: { readonly position: number },
): Promise<void> {
  const { head } = write
  const rows = await findHeldEvents(engine.db, event.prevEventIds)
  const inGraph = new Set(
    rows.filter((row) => isShown({ flags: row.flags } as StoredEvent)).map((row) => row.event_id),
  )
  const depth = Math.min(event.pdu.depth, DEEPEST)
  for (const eventId of event.prevEventIds) {
    if (!inGraph.has(eventId)) write.steps.push(noteBackwardExtremity(head.roomNid, eventId, { nid, depth }))
  }
}

/** What is in memory of the room follows. */
function afterInstall(
  engine: RoomEngine,
  { head }: RoomWrite,
  { partial, join: pdu }: RoomToInstall,
  { join, told }: Install,
): void {
  const { roomNid, roomId } = head
  engine.partial.forget(roomNid)
  for (const { userId, membership } of told) {
    if (serverNameOf(userId) !== engine.serverName) engine.members.apply({ userId, membership, event: join })
  }
  // Auth events of an invitation that came alone are known now.
  engine.authGraphs.delete(roomNid)
  if (partial === undefined) return
  engine.partial.add({
    roomId,
    roomNid,
    eventId: pdu.event.eventId,
    eventNid: join.nid,
    servers: partial.servers,
    membersKnown: told.length,
    startedTs: engine.clock.now(),
    attempts: 0,
  })
}
