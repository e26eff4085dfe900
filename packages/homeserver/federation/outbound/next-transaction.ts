import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import type { Database, Step } from '@causeway/store/db/database.ts'
import { DEVICES, listUnsentRooms, type UnsentRoomRow } from '@causeway/store/tables/outbound.ts'
import {
  findOutboundTransaction,
  listOutboundToDevice,
  openOutboundTransaction,
  type OutboundTransactionRow,
} from '@causeway/store/tables/outbound-transactions.ts'
import type { HomeserverConfig } from '../../config.ts'
import type { RoomEngine } from '../../rooms/engine.ts'
import { collectDeviceUpdates, type DeviceUpdates } from './device-updates.ts'
import type { Dispatcher } from './dispatch.ts'
import { collectOwedSticky, listOwed } from './owed-sticky.ts'
import { collectRoomEvents, MAX_PDUS, takeRoomEvents, type RoomEvents } from './room-events.ts'
import type { RoomTargets } from './room-targets.ts'
import type { ServerSets } from './server-sets.ts'
import type { UnsentRooms } from '../../outgoing/unsent-rooms.ts'
import type { VolatileEdus } from './volatile-edus.ts'

export interface NextDeps {
  readonly config: HomeserverConfig
  readonly db: Database
  readonly clock: Clock
  readonly random: Random
  readonly rooms: RoomEngine
  readonly targets: RoomTargets
  readonly sets: ServerSets
  readonly unsent: UnsentRooms<ServerName>
  readonly volatile: VolatileEdus
  readonly dispatcher: Pick<Dispatcher, 'settled' | 'roomSent'>
}

/** A transaction to be sent; one that is not stored holds nothing but what may be lost. */
export interface NextTransaction {
  readonly row: OutboundTransactionRow
  readonly isStored: boolean
  /** When it was made, there was nothing that it has not. */
  readonly isLast: boolean
}

/** What is known of a server, beside what is stored. */
export interface ServerKnowledge {
  /** It could not be reached lately. */
  readonly wasAway: boolean
  /** It may have a transaction that is not answered. */
  readonly mayHaveTransaction: boolean
}

/** https://spec.matrix.org/v1.19/server-server-api/#transactions */
const MAX_EDUS = 100
/** Characters of EDUs: with 50 events of 64 KiB a body stays under 4 MiB. */
const MAX_EDU_CHARS = 700_000
/** Rooms looked at for one transaction. */
const MAX_ROOMS = 50
const MAX_TO_DEVICE = 50
/** Times it is tried again because something came meanwhile. */
const ATTEMPTS = 20

/**
 * What a server is sent next: the transaction that is not answered, or a new one, stored before it is returned.
 * Undefined when there is nothing.
 */
export async function nextTransaction(
  deps: NextDeps,
  server: ServerName,
  { wasAway, mayHaveTransaction }: ServerKnowledge,
): Promise<NextTransaction | undefined> {
  // From here on the dispatcher writes every row again …
  using _reading = deps.unsent.reading(server)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    // … and what it has left out before is durable when this resolves.
    await deps.dispatcher.settled()
    const stored = mayHaveTransaction ? await findOutboundTransaction(deps.db, server) : undefined
    if (stored !== undefined) return { row: stored, isStored: true, isLast: false }
    const content = await collect(deps, server, wasAway)
    if (content === undefined) return volatileOnly(deps, server)
    if (content.isEmpty) {
      await deps.db.commit({ entries: [], steps: content.steps(false) })
      continue
    }
    const row = { ...content.row, edus: withVolatile(deps, server, content.row.edus) }
    const open = openOutboundTransaction(server, row)
    for (const isBusy of [false, true]) {
      const steps = [...content.steps(isBusy), open]
      if (!(await deps.db.commit({ entries: [], steps })).ok) continue
      for (const roomNid of content.finished) deps.dispatcher.roomSent(roomNid)
      return { row, isStored: true, isLast: content.isLast && !isBusy }
    }
  }
  throw new Error(`the queue of ${server} changes faster than it can be read`)
}

interface Content {
  readonly row: OutboundTransactionRow
  /** @param isBusy more has come since it was read */
  readonly steps: (isBusy: boolean) => readonly Step[]
  /** Nothing of what waited is for the server (any more). */
  readonly isEmpty: boolean
  /** Nothing else waits. */
  readonly isLast: boolean
  readonly finished: readonly number[]
}

async function collect(deps: NextDeps, server: ServerName, wasAway: boolean): Promise<Content | undefined> {
  const { db } = deps
  const [rows, messages, owing] = await Promise.all([
    listUnsentRooms(db, server, MAX_ROOMS),
    listOutboundToDevice(db, server, MAX_TO_DEVICE),
    listOwed(deps, server),
  ])
  if (rows.length === 0 && messages.length === 0 && owing.length === 0) return undefined
  const { fitting, length } = takeFitting(messages, MAX_EDU_CHARS)
  const devices = await deviceUpdatesOf(deps, server, rows, MAX_EDU_CHARS - length)
  const rooms = await roomEventsOf(deps, server, rows, wasAway)
  const taken = share(rooms)
  const edus = [...fitting.map((message) => message.edu), ...(devices?.edus ?? [])]
  const ofRooms = rooms.flatMap((room, index) => room.nids.slice(0, taken[index] ?? 0))
  const owed = await collectOwedSticky(deps, server, owing, MAX_PDUS - ofRooms.length)
  const pdus = [...new Set([...ofRooms, ...owed.nids])].sort((a, b) => a - b)
  return {
    row: {
      txn_id: deps.random.token(20),
      created_ts: deps.clock.now(),
      pdus: JSON.stringify(pdus),
      edus: `[${edus.join(',')}]`,
      to_device_upto: fitting.at(-1)?.seq ?? 0,
    },
    steps: (isBusy) => [
      ...rooms.flatMap((room, index) => takeRoomEvents(server, room, taken[index], isBusy)),
      ...owed.steps,
      ...(devices === undefined ? [] : [devices.step(isBusy)]),
    ],
    isEmpty: pdus.length === 0 && edus.length === 0,
    isLast:
      owed.isLast &&
      !rooms.some(({ leavesOut }) => leavesOut) &&
      rows.length < MAX_ROOMS &&
      messages.length < MAX_TO_DEVICE &&
      fitting.length === messages.length &&
      !rows.some(({ room_nid: nid }) => nid === DEVICES) &&
      rooms.length === rows.length &&
      rooms.every((room, index) => room.isLast && taken[index] === room.nids.length),
    finished: rooms.map(({ row }) => row.room_nid),
  }
}

function takeFitting<T extends { readonly edu: string }>(
  messages: readonly T[],
  room: number,
): { fitting: T[]; length: number } {
  let length = 0
  const fitting: T[] = []
  for (const message of messages) {
    if (fitting.length > 0 && length + message.edu.length > room) break
    length += message.edu.length
    fitting.push(message)
  }
  return { fitting, length }
}

/** They wait for another transaction where this one is full of messages already. */
async function deviceUpdatesOf(
  deps: NextDeps,
  server: ServerName,
  rows: readonly UnsentRoomRow[],
  room: number,
): Promise<DeviceUpdates | undefined> {
  const row = rows.find(({ room_nid: nid }) => nid === DEVICES)
  if (row === undefined) return undefined
  const updates = await collectDeviceUpdates(deps, server, row)
  const length = updates.edus.reduce((sum, edu) => sum + edu.length, 0)
  return length <= room || room === MAX_EDU_CHARS ? updates : undefined
}

async function roomEventsOf(
  deps: NextDeps,
  server: ServerName,
  rows: readonly UnsentRoomRow[],
  wasAway: boolean,
): Promise<RoomEvents[]> {
  const rooms: RoomEvents[] = []
  let found = 0
  for (const row of rows) {
    if (row.room_nid === DEVICES) continue
    const room = await collectRoomEvents(deps, server, row, wasAway)
    rooms.push(room)
    found += room.nids.length
    if (found >= MAX_PDUS) break
  }
  return rooms
}

/** How many events of each room go into a transaction; rooms come in the order of what waits longest. */
function share(rooms: readonly RoomEvents[]): (number | undefined)[] {
  let left = MAX_PDUS
  return rooms.map(({ nids, isWhole }) => {
    if (isWhole ? nids.length > left : left === 0 && nids.length > 0) return undefined
    const taken = Math.min(left, nids.length)
    left -= taken
    return taken
  })
}

/** Adds what may be lost to what may not, as far as there is room. */
function withVolatile({ volatile }: NextDeps, server: ServerName, edus: string): string {
  const count = (JSON.parse(edus) as unknown[]).length
  const more = volatile.take(server, MAX_EDUS - count, MAX_EDU_CHARS - edus.length)
  if (more.length === 0) return edus
  return count === 0 ? `[${more.join(',')}]` : `${edus.slice(0, -1)},${more.join(',')}]`
}

function volatileOnly(deps: NextDeps, server: ServerName): NextTransaction | undefined {
  const edus = deps.volatile.take(server, MAX_EDUS, MAX_EDU_CHARS)
  if (edus.length === 0) return undefined
  return {
    isStored: false,
    isLast: true,
    row: {
      txn_id: deps.random.token(20),
      created_ts: deps.clock.now(),
      pdus: '[]',
      edus: `[${edus.join(',')}]`,
      to_device_upto: 0,
    },
  }
}
