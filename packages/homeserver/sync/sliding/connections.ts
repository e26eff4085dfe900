import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import {
  deleteConnection,
  listConnectionIds,
  listConnectionStates,
  putConnectionState,
  type ConnectionKey,
} from '@causeway/store/tables/sliding-connections.ts'
import type { Homeserver } from '../../homeserver.ts'
import { NOTHING_SENT, type ConnectionState, type SentRoom } from './connection.ts'
import { roomsFromText, roomsToText } from './connection-json.ts'
import { unknownPos, type Pos } from './pos.ts'

/** Connections that one device may have; the one written longest ago is forgotten for another. */
const MAX_CONNECTIONS = 10

/** Members that a client was told of lately: harmless to forget, since it is then told again. */
interface ToldMember {
  readonly eventId: string
  /** Number of the answer. */
  readonly answer: number
}

/** A connection in memory. */
export interface Connection {
  readonly key: ConnectionKey
  /** The states that a client may name, by generation: the last and the one before. */
  states: ReadonlyMap<number, ConnectionState>
  /** By room number, then user. */
  readonly members: Map<number, Map<string, ToldMember>>
  /** Numbers given to answers and states so far: no number names two. */
  lastNumber: number
  /** The request that came last: only its answer counts. */
  turn: number
  /** Requests under way. */
  inUse: number
}

/** One request's place in its connection, until it is disposed of. */
export interface Turn extends Disposable {
  readonly connection: Connection
  /** What the client was told when it sent the request. */
  readonly base: ConnectionState
  /** Number of the answer to come. */
  readonly answer: number
  /** Whether another request has come meanwhile, so that nobody waits for this one's answer. */
  isOver(): boolean
}

export interface Connections {
  /** Begins a request. Throws `M_UNKNOWN_POS` where what the client was told is not known any more. */
  begin(userId: UserId, deviceId: DeviceId, connId: string, pos: Pos | undefined): Promise<Turn>
  /** What the client will have been told by the answer: durable when it resolves. The state to name in it. */
  record(turn: Turn, rooms: ReadonlyMap<number, SentRoom>): Promise<ConnectionState>
  /** Remembers, in memory only, which members the answer tells of: a client that is told of one twice loses nothing. */
  noteMembers(turn: Turn, members: readonly StoredEvent[]): void
}

/** Members remembered per room; a client in a larger room is told of some again. */
const MAX_MEMBERS = 1_000

function weigh({ states, members }: Connection): number {
  let bytes = 600
  for (const { rooms } of states.values()) bytes += rooms.size * 120
  for (const told of members.values()) bytes += 100 + told.size * 160
  return bytes
}

/** Answers after the one that the client has got may be lost: members told in them count as untold. */
function forgetAfter({ members }: Connection, answer: number): void {
  for (const [roomNid, told] of members) {
    for (const [userId, member] of told) if (member.answer > answer) told.delete(userId)
    if (told.size === 0) members.delete(roomNid)
  }
}

async function load(hs: Pick<Homeserver, 'db'>, key: ConnectionKey): Promise<Connection> {
  const rows = await listConnectionStates(hs.db, key)
  const states = rows.map(({ generation, rooms }) => ({ generation, rooms: roomsFromText(rooms) }))
  return {
    key,
    states: new Map(states.map((state) => [state.generation, state])),
    members: new Map(),
    lastNumber: Math.max(0, ...states.map(({ generation }) => generation)),
    turn: 0,
    inUse: 0,
  }
}

/** Keeps the connections in use in a share of the memory budget, and all of them in the database. */
export function createConnections(hs: Pick<Homeserver, 'db' | 'budget' | 'clock'>): Connections {
  const cache = hs.budget.cache<string, Connection>({ name: 'sliding_connections', share: 0.04, weigh })
  const nameOf = ({ userId, deviceId, connId }: ConnectionKey): string =>
    JSON.stringify([userId, deviceId, connId])
  /** Those with requests under way, which the cache may have shed meanwhile: two of one name would know nothing of each other. */
  const inUse = new Map<string, Connection>()
  const peek = (name: string): Connection | undefined => inUse.get(name) ?? cache.get(name)
  const find = async (key: ConnectionKey): Promise<Connection> => {
    const name = nameOf(key)
    const connection = peek(name) ?? (await load(hs, key))
    // Another request of the same connection may have been faster.
    const found = peek(name) ?? connection
    cache.set(name, found)
    inUse.set(name, found)
    found.inUse++
    return found
  }
  const release = (connection: Connection): void => {
    if (--connection.inUse === 0) inUse.delete(nameOf(connection.key))
  }
  return {
    async begin(userId, deviceId, connId, pos) {
      const connection = await find({ userId, deviceId, connId })
      try {
        return { ...take(connection, pos), [Symbol.dispose]: () => release(connection) }
      } catch (error) {
        release(connection)
        throw error
      }
    },
    async record({ connection, base, answer }, rooms) {
      const state = { generation: answer, rooms }
      const { key } = connection
      const steps = putConnectionState(
        key,
        base.generation,
        { ...state, rooms: roomsToText(rooms) },
        hs.clock.now(),
      )
      for (const old of base.generation === 0 ? await surplus(hs, key) : []) {
        steps.push(deleteConnection(old))
        cache.delete(nameOf(old))
      }
      await hs.db.commit({ entries: [], steps })
      connection.states = new Map([base, state].map((one) => [one.generation, one]))
      cache.set(nameOf(key), connection)
      return state
    },
    noteMembers({ connection, answer }, members) {
      if (members.length === 0) return
      for (const { roomNid, stateKey, eventId } of members) {
        const told = connection.members.get(roomNid) ?? new Map<string, ToldMember>()
        connection.members.set(roomNid, told)
        told.set(stateKey!, { eventId, answer })
        if (told.size > MAX_MEMBERS) told.delete(told.keys().next().value!)
      }
      // Weighed anew.
      cache.set(nameOf(connection.key), connection)
    },
  }
}

/** The request that counts from now on. */
function take(connection: Connection, pos: Pos | undefined): Omit<Turn, keyof Disposable> {
  const base = baseOf(connection, pos)
  const turn = ++connection.turn
  connection.lastNumber = Math.max(connection.lastNumber, pos?.answer ?? 0) + 1
  forgetAfter(connection, pos?.answer ?? 0)
  return { connection, base, answer: connection.lastNumber, isOver: () => connection.turn !== turn }
}

function baseOf({ states }: Connection, pos: Pos | undefined): ConnectionState {
  if (pos === undefined || pos.generation === 0) return NOTHING_SENT
  const base = states.get(pos.generation)
  if (base === undefined) throw unknownPos()
  return base
}

/** Connections of the device that have to make room for a new one. */
async function surplus({ db }: Pick<Homeserver, 'db'>, key: ConnectionKey): Promise<ConnectionKey[]> {
  const others = (await listConnectionIds(db, key.userId, key.deviceId)).filter((id) => id !== key.connId)
  return others.slice(MAX_CONNECTIONS - 1).map((connId) => ({ ...key, connId }))
}
