import type { Membership } from '@causeway/matrix/event-auth/membership.ts'
import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { Step, WriteValue } from '@causeway/store/db/database.ts'
import { deleteRoomServers, ROOM_SERVERS } from '@causeway/store/tables/room-servers.ts'
import { MEMBERSHIPS, type MembershipRow } from '@causeway/store/tables/rooms.ts'

/** Somebody's membership by a state that came whole. */
export interface ToldMember {
  readonly userId: UserId
  readonly membership: Membership
  /** Number of the event that says so. */
  readonly nid: WriteValue
}

export interface MembersInput {
  readonly roomNid: number
  readonly serverName: ServerName
  readonly told: readonly ToldMember[]
  /** What was known before. */
  readonly known: readonly MembershipRow[]
  /** Servers that are in the room by the word of a resident, beside those of members told of. */
  readonly servers: readonly ServerName[]
  /** What stands for the beginning where it is not known by which event a server came. */
  readonly beginning: WriteValue
}

/**
 * The rows by which memberships and servers of a room become those of a state that came whole. Users of ours are left
 * alone: their changes are told one by one, in the log.
 */
export function memberRows(input: MembersInput): Step[] {
  const { roomNid, serverName, told, known, servers, beginning } = input
  const steps: Step[] = [deleteRoomServers(roomNid)]
  const counts = new Map<ServerName, { joined: number; from: WriteValue }>()
  for (const server of servers) if (server !== serverName) counts.set(server, { joined: 0, from: beginning })
  const toldOf = new Set<string>()
  const before = new Map(known.map((row) => [row.user_id, row]))
  for (const { userId, membership, nid } of told) {
    toldOf.add(userId)
    const server = serverNameOf(userId)
    if (server === serverName) continue
    const row = before.get(userId)
    if (row === undefined || row.membership !== membership || row.event_nid !== nid) {
      steps.push({ into: MEMBERSHIPS, values: [userId, roomNid, membership, nid, 0, 0] })
    }
    if (membership !== 'join') continue
    const count = counts.get(server) ?? { joined: 0, from: nid }
    counts.set(server, { joined: count.joined + 1, from: count.joined === 0 ? nid : count.from })
  }
  for (const row of known) {
    if (row.is_local === 1 || toldOf.has(row.user_id) || row.membership === 'leave') continue
    steps.push({ into: MEMBERSHIPS, values: [row.user_id, roomNid, 'leave', row.event_nid, 0, 0] })
  }
  for (const [server, { joined, from }] of counts) {
    // A server without a known member is there by the resident's word.
    steps.push({ into: ROOM_SERVERS, values: [roomNid, server, Math.max(joined, 1), from, 0] })
  }
  return steps
}
