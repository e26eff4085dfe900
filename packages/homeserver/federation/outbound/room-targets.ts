import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { isServerAllowed } from '@causeway/matrix/server-acl/is-server-allowed.ts'
import type { Cache } from '@causeway/store/cache/lru.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import { createSingleFlight } from '@causeway/store/cache/single-flight.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { EventFlag, type LogEntry } from '@causeway/store/log/entry.ts'
import { memberChangesOf } from '@causeway/store/log/member-changes.ts'
import {
  listRoomServers,
  listSomeRoomServers,
  type RoomServerRow,
} from '@causeway/store/tables/room-servers.ts'
import { readStateAt } from '../../rooms/current-state.ts'
import type { RoomEngine } from '../../rooms/engine.ts'
import { getRoomByNid } from '../../rooms/load-head.ts'
import { BEGINNING, END, isShown, listTimeline } from '../../rooms/read-events.ts'

/** Servers that shall have what happens in a room, for as long as neither its members nor its ACL change. */
export interface ServerSet {
  readonly servers: readonly ServerName[]
  /** Its number once an event refers to it. */
  nid: number | undefined
}

interface RoomServers {
  readonly byName: Map<string, RoomServerRow>
  /** Servers whose row has changed since. */
  readonly stale: Set<string>
  /** The set that was last asked for, and for which numbers and which state it is known to hold. */
  set: ServerSet | undefined
  /** Root of the room's state now; undefined: not known. */
  current: number | undefined
  valid: { readonly from: number; readonly upTo: number; readonly root: number } | undefined
}

/**
 * Which other servers shall have an event: those joined to its room when it was accepted, without those that the
 * room's ACL denied then. Per room in memory, kept true by the log; a warm room costs no query.
 */
export interface RoomTargets {
  /** Takes in an entry of the log, in order, before it is asked about it. */
  note(entry: LogEntry): void
  /** @param nid of the event. @param root of the state before it */
  at(roomNid: number, nid: number, root: number): Promise<ServerSet>
  /** Whether the ACL lets a server take part. @param root of the room's state */
  allows(roomNid: number, root: number, server: ServerName): Promise<boolean>
  /** The servers in a room now, for what is no event. @param position of the log up to which entries were noted */
  now(roomNid: number, position: number): Promise<ServerSet>
  clear(): void
}

export interface TargetDeps {
  readonly serverName: ServerName
  readonly db: Database
  readonly budget: MemoryBudget
  readonly rooms: RoomEngine
}

export function createRoomTargets(deps: TargetDeps): RoomTargets {
  return new Targets(deps)
}

const ACL = 'm.room.server_acl'
const NOBODY: ServerSet = { servers: [], nid: undefined }

class Targets implements RoomTargets {
  readonly #deps: TargetDeps
  readonly #rooms: Cache<number, RoomServers>
  /** Rooms that are being read; what has changed since is read again by whoever asks after that. */
  readonly #reads = createSingleFlight<number, RoomServers>()

  constructor(deps: TargetDeps) {
    this.#deps = deps
    this.#rooms = deps.budget.cache({
      name: 'servers_of_room',
      share: 0.01,
      weigh: (room: RoomServers) => 400 + room.byName.size * 300,
    })
  }

  note(entry: LogEntry): void {
    if (entry.kind === 'purge' || entry.kind === 'room_whole') this.#forget(entry.roomNid)
    if (entry.kind !== 'event') return
    // Ours joined by another server's answer: the whole room came with it.
    if ((entry.event.flags & EventFlag.handedOver) !== 0) this.#forget(entry.event.roomNid)
    const room = this.#rooms.peek(entry.event.roomNid)
    if (room !== undefined && isShown(entry.event)) room.current = entry.event.roomRoot
    for (const { userId, membership } of memberChangesOf(entry)) {
      this.#noteMember(entry.event.roomNid, userId, membership === 'join')
    }
  }

  async at(roomNid: number, nid: number, root: number): Promise<ServerSet> {
    const room = await this.#servers(roomNid)
    const { set: before, valid } = room
    if (before !== undefined && valid?.root === root && nid >= valid.from && nid <= valid.upTo) return before
    const servers: ServerName[] = []
    let upTo = Infinity
    const acl = room.byName.size === 0 ? undefined : await this.#acl(roomNid, root)
    for (const { server_name: name, from_nid: from, until_nid: until } of room.byName.values()) {
      if (from >= nid) upTo = Math.min(upTo, from)
      else if (until >= nid) upTo = Math.min(upTo, until)
      else if (until !== 0) continue
      const server = name as ServerName
      if (from < nid && isServerAllowed(acl, server)) servers.push(server)
    }
    room.set = sameSet(before, servers) ?? { servers, nid: undefined }
    room.valid = { from: nid, upTo, root }
    return room.set
  }

  async allows(roomNid: number, root: number, server: ServerName): Promise<boolean> {
    return isServerAllowed(await this.#acl(roomNid, root), server)
  }

  async now(roomNid: number, position: number): Promise<ServerSet> {
    const room = await this.#servers(roomNid)
    if (room.byName.size === 0) return NOBODY
    const newest = room.current ?? (await this.#newestRoot(roomNid))
    // What was noted meanwhile is newer.
    room.current ??= newest
    return this.at(roomNid, position, room.current)
  }

  clear(): void {
    this.#reads.forgetAll()
    this.#rooms.clear()
  }

  /** All servers of the room came with its members, or it is gone. */
  #forget(roomNid: number): void {
    this.#reads.forget(roomNid)
    this.#rooms.delete(roomNid)
  }

  #noteMember(roomNid: number, userId: UserId, isJoined: boolean): void {
    const server = serverNameOf(userId)
    if (server === this.#deps.serverName) return
    this.#reads.forget(roomNid)
    const room = this.#rooms.peek(roomNid)
    if (room === undefined) return
    if (isJoined && room.byName.get(server)?.until_nid === 0) return
    room.stale.add(server)
    room.valid = undefined
  }

  /** As of now or later: whoever asks while others have the room read waits with them. */
  async #servers(roomNid: number): Promise<RoomServers> {
    for (;;) {
      const held = this.#rooms.get(roomNid)
      if (held === undefined) return this.#reads.run(roomNid, (isCurrent) => this.#load(roomNid, isCurrent))
      if (held.stale.size === 0) return held
      await this.#reads.run(roomNid, (isCurrent) => this.#refresh(roomNid, held, isCurrent))
    }
  }

  async #load(roomNid: number, isCurrent: () => boolean): Promise<RoomServers> {
    const rows = await listRoomServers(this.#deps.db, roomNid)
    const room: RoomServers = {
      byName: new Map(rows.map((row) => [row.server_name, row])),
      stale: new Set(),
      set: undefined,
      current: undefined,
      valid: undefined,
    }
    if (isCurrent()) this.#rooms.set(roomNid, room)
    return room
  }

  /** What has changed since the rows were read stays stale: it is newer than they are. */
  async #refresh(roomNid: number, held: RoomServers, isCurrent: () => boolean): Promise<RoomServers> {
    const rows = await listSomeRoomServers(this.#deps.db, roomNid, [...held.stale])
    if (!isCurrent()) return held
    for (const row of rows) held.byName.set(row.server_name, row)
    held.stale.clear()
    held.valid = undefined
    this.#rooms.set(roomNid, held)
    return held
  }

  async #newestRoot(roomNid: number): Promise<number> {
    const range = { after: BEGINNING, before: END, backwards: true, limit: 1 }
    const { rooms } = this.#deps
    const [newest] = await listTimeline(rooms, await getRoomByNid(rooms, roomNid), range)
    return newest?.roomRoot ?? 0
  }

  async #acl(roomNid: number, root: number): Promise<object | undefined> {
    if (root === 0) return undefined
    const { rooms } = this.#deps
    const entry = await readStateAt(rooms, await getRoomByNid(rooms, roomNid), root, ACL, '')
    return entry?.stored.content
  }
}

/** The set before, where it is the same: then it keeps its number. */
function sameSet(before: ServerSet | undefined, servers: readonly ServerName[]): ServerSet | undefined {
  if (before === undefined || before.servers.length !== servers.length) return undefined
  return before.servers.every((server, index) => server === servers[index]) ? before : undefined
}
