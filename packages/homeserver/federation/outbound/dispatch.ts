import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { Bus } from '@causeway/store/bus/local.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { Database, Step } from '@causeway/store/db/database.ts'
import { runCursor, type Cursor, type CursorEffects } from '@causeway/store/log/cursor.ts'
import {
  EventFlag,
  type EventEntry,
  type LogEntry,
  type ReceiptEntry,
  type StoredEvent,
} from '@causeway/store/log/entry.ts'
import { memberChangesOf } from '@causeway/store/log/member-changes.ts'
import type { Log } from '@causeway/store/log/log.ts'
import {
  deleteOutboundOfRoom,
  DEVICES,
  findMaxServerSet,
  forgetAllOutboundEvents,
  forgetOutboundEvents,
  insertOutboundEvent,
  insertServerSet,
  markUnsent,
} from '@causeway/store/tables/outbound.ts'
import { listServersOfRooms } from '@causeway/store/tables/room-servers.ts'
import type { Logger } from '../../ops/log.ts'
import type { RoomEngine } from '../../rooms/engine.ts'
import { isShown } from '../../rooms/read-events.ts'
import { oweAtJoin } from './owed-sticky.ts'
import { readOutboundEntries } from './read-entries.ts'
import type { RoomTargets, ServerSet } from './room-targets.ts'
import type { UnsentRooms } from '../../outgoing/unsent-rooms.ts'

export interface DispatchDeps {
  readonly serverName: ServerName
  readonly db: Database
  readonly log: Log
  readonly bus: Bus
  readonly clock: Clock
  readonly logger: Logger
  readonly rooms: RoomEngine
  readonly targets: RoomTargets
  readonly unsent: UnsentRooms<ServerName>
  /** Told which servers have something to be sent, once that is durable. */
  readonly wake: (server: ServerName) => void
  /** Told of receipts, after the events before them. */
  readonly onReceipt: (entry: ReceiptEntry) => void
}

/** Reads the log once, for all other servers. */
export interface Dispatcher extends AsyncDisposable {
  /** Resolves when whatever is being dispatched now is durable. Rejects when the dispatcher ends. */
  settled(): Promise<void>
  /** Everything up to here was dispatched, or is being so. */
  position(): number
  /** Resolves when everything up to a log position was dispatched. */
  reached(position: number): Promise<void>
  /** A room was caught up with by some server: what of it nobody waits for may go. */
  roomSent(roomNid: number): void
}

export const CURSOR_NAME = 'federation'

/** Events kept of a room for servers that have not got them; who is further behind is sent the newest. */
export const KEPT_EVENTS = 2_000
/** Events dispatched between two looks at what may go. */
const SWEEP_EVERY = 1_000
/** Servers that are told of one user's devices. */
export const MAX_SERVERS = 50_000

/**
 * Works out which servers shall have each event of ours, and writes that down in one write with the position: one row
 * an event, and one for a server and room of which nothing is unsent yet. Hidden events concern nobody.
 */
export async function startDispatch(deps: DispatchDeps): Promise<Dispatcher> {
  const maxSet = await findMaxServerSet(deps.db)
  await deps.db.commit({ entries: [], steps: forgetAllOutboundEvents(maxSet) })
  const started = Promise.withResolvers<Cursor>()
  const dispatcher = new LogDispatcher(deps, started.promise, maxSet)
  const cursor = await runCursor(deps, {
    name: CURSOR_NAME,
    read: readOutboundEntries(deps.rooms),
    handle: (entries) => dispatcher.handle(entries),
    onError: (error) => deps.logger.error('events cannot be put into the queues of other servers', { error }),
  })
  started.resolve(cursor)
  return dispatcher
}

/** What a batch of entries comes to. */
interface Batch {
  readonly steps: Step[]
  readonly woken: Set<ServerName>
  readonly receipts: ReceiptEntry[]
}

class LogDispatcher implements Dispatcher {
  readonly #deps: DispatchDeps
  readonly #cursor: Promise<Cursor>
  #handled = 0
  #lastSet: number
  /** Servers that are woken when the log is written down up to a position. */
  readonly #waking = new Map<Promise<void>, number>()
  /** Rooms of which something may be swept, and events since it was. */
  readonly #touched = new Set<number>()
  #sinceSweep = 0

  constructor(deps: DispatchDeps, cursor: Promise<Cursor>, lastSet: number) {
    this.#deps = deps
    this.#cursor = cursor
    this.#lastSet = lastSet
  }

  position(): number {
    return this.#handled
  }

  async settled(): Promise<void> {
    const through = this.#handled
    await (await this.#cursor).reached(through)
  }

  async reached(position: number): Promise<void> {
    await (await this.#cursor).reached(position)
    // Whoever waits looks whether something is being sent: by then it has to be.
    for (const [waking, through] of this.#waking) if (through <= position) await waking
  }

  roomSent(roomNid: number): void {
    this.#touched.add(roomNid)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#cursor)[Symbol.asyncDispose]()
  }

  async handle(entries: readonly LogEntry[]): Promise<CursorEffects | void> {
    const { targets, unsent, onReceipt } = this.#deps
    const through = entries.at(-1)!.position
    if (entries[0]!.position <= this.#handled) {
      // The same entries again: what was noted of them did not come to pass.
      targets.clear()
      unsent.clear()
    }
    this.#handled = through
    unsent.nextWrite()
    const batch: Batch = { steps: [], woken: new Set(), receipts: [] }
    for (const entry of entries) {
      targets.note(entry)
      await this.#dispatch(batch, entry)
    }
    if (batch.steps.length > 0 && this.#sinceSweep >= SWEEP_EVERY) this.#sweep(batch)
    for (const receipt of batch.receipts) onReceipt(receipt)
    if (batch.steps.length === 0) {
      for (const server of batch.woken) this.#deps.wake(server)
      return undefined
    }
    this.#wakeLater(batch.woken, through)
    return { steps: batch.steps }
  }

  async #dispatch(batch: Batch, entry: LogEntry): Promise<void> {
    if (entry.kind === 'event') {
      await this.#oweSticky(batch, entry)
      await this.#dispatchEvent(batch, entry.event)
    } else if (entry.kind === 'device_list' && entry.signedUserId === undefined) {
      await this.#dispatchDevices(batch, entry.userId, entry.position)
    } else if (entry.kind === 'receipt') batch.receipts.push(entry)
    // What they missed was written down together with the entry.
    else if (entry.kind === 'room_whole') for (const server of entry.missedServers) batch.woken.add(server)
    // What was noted of a purged room after its own rows had gone.
    else if (entry.kind === 'purge') batch.steps.push(...deleteOutboundOfRoom(entry.roomNid))
  }

  async #dispatchEvent(batch: Batch, event: StoredEvent): Promise<void> {
    const { serverName, targets } = this.#deps
    if (!isShown(event)) return
    const origin = serverNameOf(event.sender)
    const isOurs = origin === serverName && (event.flags & EventFlag.handedOver) === 0
    if (!isOurs && (event.flags & EventFlag.passedOn) === 0) return
    const set = await targets.at(event.roomNid, event.nid, event.stateBefore)
    const also = await this.#putOut(event, set)
    if (set.servers.length === 0 && also === undefined) return
    const setNid = set.servers.length === 0 ? 0 : this.#numberOf(batch, set)
    batch.steps.push(insertOutboundEvent(event.roomNid, event.nid, setNid, also ?? ''))
    this.#touched.add(event.roomNid)
    this.#sinceSweep++
    const parted = partedServer(event)
    for (const server of set.servers) {
      // Whoever an event comes from has it.
      if (server !== origin) this.#mark(batch, server, event.roomNid, event.nid, server === parted)
    }
    if (also !== undefined) this.#mark(batch, also, event.roomNid, event.nid, true)
  }

  /** Whoever comes into the room gets what is sticky of what was sent before. */
  async #oweSticky(batch: Batch, entry: EventEntry): Promise<void> {
    const { serverName, rooms } = this.#deps
    if (!rooms.sticky.mayBeAny()) return
    for (const { userId, membership, event } of memberChangesOf(entry)) {
      const server = serverNameOf(userId)
      if (membership !== 'join' || server === serverName) continue
      const step = await oweAtJoin(rooms, server, event)
      if (step === undefined) continue
      batch.steps.push(step)
      batch.woken.add(server)
    }
  }

  /** The server of somebody whose invitation or stay ended, where it is none of the room's (any more). */
  async #putOut(event: StoredEvent, set: ServerSet): Promise<ServerName | undefined> {
    const { serverName, targets } = this.#deps
    const server = partedServer(event)
    if (server === undefined || server === serverName || set.servers.includes(server)) return undefined
    if (server === serverNameOf(event.sender)) return undefined
    return (await targets.allows(event.roomNid, event.stateBefore, server)) ? server : undefined
  }

  async #dispatchDevices(batch: Batch, userId: UserId, position: number): Promise<void> {
    const { serverName, db, rooms } = this.#deps
    if (serverNameOf(userId) !== serverName) return
    const { byId, joined } = await rooms.members.roomsOf(userId)
    const roomNids = [...joined].map((roomId) => byId.get(roomId)!.roomNid)
    for (const server of await listServersOfRooms(db, roomNids, MAX_SERVERS)) {
      this.#mark(batch, server as ServerName, DEVICES, position, false)
    }
  }

  #numberOf(batch: Batch, set: ServerSet): number {
    if (set.nid === undefined) {
      set.nid = ++this.#lastSet
      batch.steps.push(insertServerSet(set.nid, set.servers))
    }
    return set.nid
  }

  #mark(batch: Batch, server: ServerName, roomNid: number, nid: number, isParted: boolean): void {
    batch.woken.add(server)
    if (this.#deps.unsent.add(server, roomNid) || isParted) {
      batch.steps.push(markUnsent(server, roomNid, nid, isParted))
    }
  }

  #sweep(batch: Batch): void {
    for (const roomNid of this.#touched) batch.steps.push(...forgetOutboundEvents(roomNid, KEPT_EVENTS))
    this.#touched.clear()
    this.#sinceSweep = 0
  }

  /** Wakes the servers once the write is durable. When the process ends before, they are found at the next start. */
  #wakeLater(servers: ReadonlySet<ServerName>, through: number): void {
    if (servers.size === 0) return
    const waking = this.#cursor
      .then((cursor) => cursor.reached(through))
      .then(() => {
        for (const server of servers) this.#deps.wake(server)
      })
      .catch(() => undefined)
      .finally(() => this.#waking.delete(waking))
    this.#waking.set(waking, through)
  }
}

/** The server of the user that an event puts out of the room, or whose invitation it ends. */
function partedServer({ type, stateKey, content }: StoredEvent): ServerName | undefined {
  if (type !== 'm.room.member' || stateKey === undefined) return undefined
  const { membership } = content
  return membership === 'leave' || membership === 'ban' ? serverNameOf(stateKey as UserId) : undefined
}
