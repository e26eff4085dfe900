import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { getMany, listState } from '@causeway/store/state/tree.ts'
import { findStateJson } from '@causeway/store/tables/held-events.ts'
import { listRoomServers } from '@causeway/store/tables/room-servers.ts'
import { listHeroes } from '@causeway/store/tables/rooms.ts'
import { listNonMemberKeys } from '@causeway/store/tables/state.ts'
import { readStateKeysAt } from '../current-state.ts'
import type { RoomEngine } from '../engine.ts'
import type { VerifiedPdu } from '../receive/verify-pdus.ts'
import type { RoomInfo } from '../stored-event.ts'
import { readAuthChain } from './auth-chain.ts'

export interface JoinAnswerRequest {
  readonly room: RoomInfo
  /** The join that was accepted. */
  readonly join: StoredEvent
  readonly pdu: VerifiedPdu
  readonly omitMembers: boolean
  /** Version 1 of the operation: an array around the answer. */
  readonly asPair: boolean
}

/**
 * What the joining server is told: the state before the join, its auth chain, and the join with our signature. Put
 * together from stored bytes; no event is parsed, so that a large room costs about what its bytes do.
 * https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2send_joinroomideventid
 */
export async function joinAnswer(engine: RoomEngine, request: JoinAnswerRequest): Promise<Uint8Array> {
  const { room, join, pdu, omitMembers, asPair } = request
  const state = omitMembers
    ? await stateWithoutMembers(engine, room, join)
    : await wholeState(engine, room, join)
  const chain = await readAuthChain(engine, room, [...state, join.stateNid])
  if (omitMembers) for (const stateNid of state) chain.delete(stateNid)
  chain.delete(join.stateNid)
  const bytes = await readJson(engine, room, new Set([...state, ...chain]))
  const more = omitMembers
    ? `,"members_omitted":true,"servers_in_room":${JSON.stringify(await serversInRoom(engine, room, join))}`
    : ''
  return Buffer.concat([
    Buffer.from(`${asPair ? '[200,' : ''}{"origin":${JSON.stringify(engine.serverName)},"state":[`),
    ...listOf(state, bytes),
    Buffer.from('],"auth_chain":['),
    ...listOf([...chain], bytes),
    Buffer.from('],"event":'),
    pdu.json,
    Buffer.from(`${more}}${asPair ? ']' : ''}`),
  ])
}

const COMMA = Buffer.from(',')

function listOf(stateNids: readonly number[], bytes: ReadonlyMap<number, Uint8Array>): Uint8Array[] {
  return stateNids.flatMap((stateNid, index) => {
    const json = bytes.get(stateNid)
    if (json === undefined) throw new Error(`State event ${stateNid} has no row`)
    return index === 0 ? [json] : [COMMA, json]
  })
}

async function readJson(
  engine: RoomEngine,
  room: RoomInfo,
  stateNids: ReadonlySet<number>,
): Promise<Map<number, Uint8Array>> {
  const rows = await findStateJson(engine.db, room.roomNid, [...stateNids])
  return new Map(
    rows.map((row) => [row.state_nid, typeof row.json === 'string' ? Buffer.from(row.json) : row.json]),
  )
}

async function wholeState(engine: RoomEngine, room: RoomInfo, join: StoredEvent): Promise<number[]> {
  const stateNids: number[] = []
  for await (const items of listState(engine.nodes, room.roomNid, join.stateBefore)) {
    for (const [, stateNid] of items) stateNids.push(stateNid)
  }
  return stateNids
}

const MAX_HEROES = 5

/** All but the members, with those few that a client needs at once: the user's own and those that name the room. */
async function stateWithoutMembers(engine: RoomEngine, room: RoomInfo, join: StoredEvent): Promise<number[]> {
  const keyNids = await listNonMemberKeys(engine.db, room.roomNid)
  const others = await getMany(engine.nodes, room.roomNid, join.stateBefore, keyNids)
  const names = ['m.room.name', 'm.room.canonical_alias'].map((type) => ({ type, stateKey: '' }))
  const [name, alias] = await readStateKeysAt(engine, room, join.stateBefore, names)
  const isNamed = Boolean(name?.stored.content['name']) || Boolean(alias?.stored.content['alias'])
  const memberships = ['join', 'invite']
  const heroes = isNamed
    ? []
    : await listHeroes(engine.db, room.roomNid, join.stateKey!, memberships, MAX_HEROES)
  const members = await readStateKeysAt(
    engine,
    room,
    join.stateBefore,
    [join.stateKey!, ...heroes].map((stateKey) => ({ type: 'm.room.member', stateKey })),
  )
  const needed = members.flatMap((entry) => (entry === undefined ? [] : [entry.stored.stateNid]))
  return [...others.filter((stateNid) => stateNid !== undefined), ...needed]
}

/** Servers with somebody in the room before the join. */
async function serversInRoom(engine: RoomEngine, room: RoomInfo, join: StoredEvent): Promise<string[]> {
  const rows = await listRoomServers(engine.db, room.roomNid)
  const there = rows.filter((row) => row.joined > 0 && row.from_nid !== join.nid)
  return [engine.serverName, ...there.map((row) => row.server_name)]
}
