import type { Membership } from '@causeway/matrix/event-auth/membership.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { Step, WriteValue } from '@causeway/store/db/database.ts'
import { serverCameIn, serverWentOut } from '@causeway/store/tables/room-servers.ts'
import { MEMBERSHIPS } from '@causeway/store/tables/rooms.ts'
import type { RoomEngine } from './engine.ts'
import type { NewEvent, RoomWrite } from './room-write.ts'

/** What a membership event writes down beside itself: who is in the room, and which servers are. */
export function memberEventSteps(
  engine: Pick<RoomEngine, 'serverName'>,
  { stored, replaced }: NewEvent,
  nid: WriteValue,
): Step[] {
  if (stored.type !== 'm.room.member' || stored.stateKey === undefined) return []
  const change = {
    roomNid: stored.roomNid,
    userId: stored.stateKey as UserId,
    before: replaced?.stored.content['membership'],
    membership: stored.content['membership'] as Membership,
  }
  return membershipSteps(engine, change, nid)
}

/** The same for what branches of the graph made of the members when they met. */
export function memberChangeSteps(
  engine: Pick<RoomEngine, 'serverName'>,
  { events, head, memberChanges }: RoomWrite,
  numbers: readonly WriteValue[],
): Step[] {
  return (memberChanges ?? []).flatMap(({ userId, membership, before, event }) => {
    const index = events.findIndex(({ stored }) => stored === event)
    const nid = index === -1 ? event.nid : numbers[index]!
    return membershipSteps(engine, { roomNid: head.roomNid, userId, before, membership }, nid)
  })
}

interface Change {
  readonly roomNid: number
  readonly userId: UserId
  readonly before: unknown
  readonly membership: Membership
}

function membershipSteps(
  { serverName }: Pick<RoomEngine, 'serverName'>,
  { roomNid, userId, before, membership }: Change,
  nid: WriteValue,
): Step[] {
  const server = serverNameOf(userId)
  const isLocal = server === serverName
  const row: Step = { into: MEMBERSHIPS, values: [userId, roomNid, membership, nid, isLocal ? 1 : 0, 0] }
  if (isLocal || (before === 'join') === (membership === 'join')) return [row]
  return [
    row,
    membership === 'join' ? serverCameIn(roomNid, server, nid) : serverWentOut(roomNid, server, nid),
  ]
}
