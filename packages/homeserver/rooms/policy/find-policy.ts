import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { listSomeRoomServers } from '@causeway/store/tables/room-servers.ts'
import { readCurrentState, readerOf, readStateAt } from '../current-state.ts'
import type { RoomEngine } from '../engine.ts'
import { readNewestState } from '../newest-state.ts'
import type { RoomWrite } from '../room-write.ts'
import type { StateEntry } from '../state-entry.ts'
import type { RoomInfo } from '../stored-event.ts'
import { POLICY_TYPE, readPolicyServer, type PolicyServer } from './policy-server.ts'

/** Where a room's state says which policy server it has. */
export const POLICY_STATE = { type: POLICY_TYPE, stateKey: '' } as const

/**
 * The policy server of a room by its newest state; outside the room's queue. A room has one only as long as that
 * server has a user in it. https://spec.matrix.org/v1.19/server-server-api/#policy-servers
 */
export async function findPolicyServer(
  engine: RoomEngine,
  room: RoomInfo,
): Promise<PolicyServer | undefined> {
  const [entry] = await readNewestState(engine, room, [POLICY_STATE])
  return policyServerOf(engine, room, entry)
}

/** The same by the entry that the state has under that name. */
export function policyServerOf(
  engine: RoomEngine,
  room: RoomInfo,
  entry: StateEntry | undefined,
): Promise<PolicyServer | undefined> {
  return ifJoined(engine, room, entry?.stored.content)
}

/** The same by the state that a write begins at. Inside the queue. */
export async function policyServerBefore(
  engine: RoomEngine,
  { head }: RoomWrite,
): Promise<PolicyServer | undefined> {
  const entry = await readCurrentState(readerOf(engine, head), head, POLICY_TYPE, '')
  return ifJoined(engine, head, entry?.stored.content)
}

/** The same by the state at a root. Inside the queue. Costs nothing where the room never had such an event. */
export async function policyServerAt(
  engine: RoomEngine,
  write: RoomWrite,
  root: number,
): Promise<PolicyServer | undefined> {
  const { head } = write
  const entry = await readStateAt(readerOf(engine, head), head, root, POLICY_TYPE, '')
  const server = readPolicyServer(entry?.stored.content)
  if (server === undefined) return undefined
  const { policyServers } = write
  const isJoined = policyServers.get(server.name) ?? (await isInRoom(engine, head, server))
  policyServers.set(server.name, isJoined)
  return isJoined ? server : undefined
}

async function ifJoined(
  engine: RoomEngine,
  room: RoomInfo,
  content: JsonObject | undefined,
): Promise<PolicyServer | undefined> {
  const server = readPolicyServer(content)
  return server !== undefined && (await isInRoom(engine, room, server)) ? server : undefined
}

/** We are nobody's policy server, whatever a room says: nothing here would look at its events. */
async function isInRoom(
  { db, serverName }: RoomEngine,
  { roomNid }: RoomInfo,
  { name }: PolicyServer,
): Promise<boolean> {
  if (name === serverName) return false
  const [row] = await listSomeRoomServers(db, roomNid, [name])
  return row !== undefined && row.joined > 0
}
