import type { Bus } from '@causeway/store/bus/local.ts'
import { listPublishedRooms } from '@causeway/store/tables/directory.ts'
import type { Logger } from '../ops/log.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { describeRoom, DESCRIBING_TYPES, type ListedRoom } from './describe-room.ts'

/** A directory: all rooms by the networks that list them, the largest first. */
export interface Directory {
  readonly rooms: readonly ListedRoom[]
  /** By room number; our own directory is the empty name. */
  readonly networks: ReadonlyMap<number, ReadonlySet<string>>
}

/**
 * The public directory, kept in memory: a request describes no room. What changes about a room that is listed
 * shows within seconds, a room that is listed or taken off at once.
 */
export interface PublicRooms {
  read(): Promise<Directory>
  /** A room was listed or taken off. */
  changed(): void
}

/** How old the list may be, in milliseconds: rooms that are busy are not described for every request. */
const MAX_AGE_MS = 5_000
/** Rooms described between two breaths of the event loop. */
const PORTION = 25

const EMPTY: Directory = { rooms: [], networks: new Map() }

class DirectoryCache implements PublicRooms {
  readonly #engine: RoomEngine
  readonly #logger: Logger
  readonly #listed = new Map<number, Described>()
  /** Counts descriptions, in the order in which they began. */
  #turn = 0
  /** Listed rooms that have changed since they were described. */
  readonly #stale = new Set<number>()
  #directory = EMPTY
  /** By the monotonic clock; undefined: now is too late already. */
  #validUntil: number | undefined
  #refreshing: Promise<Directory> | undefined
  #generation = 0
  #seen: number

  constructor(engine: RoomEngine, bus: Bus, logger: Logger) {
    this.#engine = engine
    this.#logger = logger
    this.#seen = engine.log.head()
    bus.subscribe(() => this.#follow())
  }

  async read(): Promise<Directory> {
    if (this.#validUntil !== undefined && this.#engine.clock.monotonic() < this.#validUntil) {
      return this.#directory
    }
    this.#refreshing ??= this.#refresh(this.#generation)
    return this.#refreshing
  }

  changed(): void {
    // What is being read may be from before the change: it goes to those who wait for it, and is not kept.
    this.#generation++
    this.#validUntil = undefined
    this.#refreshing = undefined
  }

  #follow(): void {
    const { log } = this.#engine
    const entries = log.ring.since(this.#seen)
    this.#seen = log.head()
    if (entries === 'fell-behind') {
      for (const roomNid of this.#listed.keys()) this.#stale.add(roomNid)
      return
    }
    for (const entry of entries) {
      if (entry.kind === 'purge') this.changed()
      // How many members it has is another matter than it was.
      if (entry.kind === 'room_whole' && this.#listed.has(entry.roomNid)) {
        this.#stale.add(entry.roomNid)
        this.changed()
      }
      if (entry.kind !== 'event' || entry.event.stateKey === undefined) continue
      const { type, roomNid } = entry.event
      // A new room may have been listed in the same commit.
      if (type === 'm.room.create') this.changed()
      else if (DESCRIBING_TYPES.has(type) && this.#listed.has(roomNid)) this.#stale.add(roomNid)
    }
  }

  async #refresh(generation: number): Promise<Directory> {
    const startedAt = this.#engine.clock.monotonic()
    try {
      const directory = await this.#readDirectory()
      if (generation !== this.#generation) return directory
      this.#directory = directory
      this.#validUntil = startedAt + MAX_AGE_MS
      for (const roomNid of this.#listed.keys()) {
        if (!directory.networks.has(roomNid)) this.#listed.delete(roomNid)
      }
      return directory
    } finally {
      if (generation === this.#generation) this.#refreshing = undefined
    }
  }

  async #readDirectory(): Promise<Directory> {
    const networks = new Map<number, Set<string>>()
    for (const { room_nid: roomNid, network_id: networkId } of await listPublishedRooms(this.#engine.db)) {
      const names = networks.get(roomNid) ?? new Set()
      networks.set(roomNid, names.add(networkId))
    }
    const roomNids = [...networks.keys()]
    await this.#describe(roomNids)
    const rooms = roomNids
      .map((roomNid) => this.#listed.get(roomNid)?.room)
      .filter((room) => room !== undefined)
    return { rooms: rooms.toSorted(byPlace), networks }
  }

  async #describe(roomNids: readonly number[]): Promise<void> {
    let described = 0
    for (const roomNid of roomNids) {
      // Before it is read, so that what changes meanwhile is not lost.
      const wasStale = this.#stale.delete(roomNid)
      if (!wasStale && this.#listed.has(roomNid)) continue
      const turn = ++this.#turn
      const room = await describeRoom(this.#engine, roomNid).catch((error: unknown) => {
        // One room that cannot be read (it may be purged at this moment) must not hide the others.
        this.#logger.warn('a room of the directory could not be read', { roomNid, error })
        return undefined
      })
      this.#keep(roomNid, room, turn)
      if (++described % PORTION === 0) await new Promise<void>((resolve) => this.#engine.clock.defer(resolve))
    }
  }

  /** Two may read at once; a description that began before the one that is here is older than it. */
  #keep(roomNid: number, room: ListedRoom | undefined, turn: number): void {
    if ((this.#listed.get(roomNid)?.turn ?? 0) > turn) return
    if (room === undefined) this.#listed.delete(roomNid)
    else this.#listed.set(roomNid, { room, turn })
  }
}

/** A room, and the turn in which it was described. */
interface Described {
  readonly room: ListedRoom
  readonly turn: number
}

/** The order of the directory: the largest first, and among equals the oldest. */
export function byPlace(a: Place, b: Place): number {
  return b.joined - a.joined || a.roomNid - b.roomNid
}

/** Where a room stands in the order. */
export type Place = Pick<ListedRoom, 'joined' | 'roomNid'>

export function createPublicRooms(deps: {
  readonly rooms: RoomEngine
  readonly bus: Bus
  readonly logger: Logger
}): PublicRooms {
  return new DirectoryCache(deps.rooms, deps.bus, deps.logger)
}
