import type { EventId, RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { listPartialRooms, type PartialRoomRow } from '@causeway/store/tables/partial-rooms.ts'

/** A room that was joined fast and whose members are not all here yet. */
export interface PartialRoom {
  readonly roomId: RoomId
  readonly roomNid: number
  /** Our join, before which the whole state is asked for. */
  readonly eventId: EventId
  readonly eventNid: number
  /** Who may be asked, the server we joined by first; they are those in the room as well. */
  readonly servers: readonly ServerName[]
  readonly membersKnown: number
  readonly startedTs: number
  readonly attempts: number
  /** How far the attempt under way has got. */
  readonly progress?: PartialProgress
}

/** Events of the whole state that are held by now, of those that it has. */
export interface PartialProgress {
  readonly stored: number
  readonly expected: number
}

/** Which rooms are partial: one a process, in memory as a whole, since each costs a join of a user of ours. */
export interface PartialRooms {
  find(roomNid: number): PartialRoom | undefined
  list(): PartialRoom[]
  /** Throws `M_NOT_FOUND` while the room is partial: other servers are to ask one that knows it. */
  requireWhole(roomNid: number): void
  /** Resolves when the room is whole, at once when it is; rejects with the signal's reason. */
  whenWhole(roomNid: number, signal: AbortSignal): Promise<void>
  /** Position since when a room that was joined fast is whole; undefined for every other. */
  wholeSince(roomNid: number): number | undefined
  /** The same, where its whole state judged events otherwise than they had been. */
  overturnedAt(roomNid: number): number | undefined
  /** The newest position at which any room became whole. */
  lastWhole(): number
  add(room: PartialRoom): void
  attempted(roomNid: number): void
  progressed(roomNid: number, progress: PartialProgress): void
  /**
   * The devices of a user have changed who may be a member of partial rooms: whether there is a room of which that can
   * be said. Remembered, of so many users, until it is known.
   */
  noteDevices(userId: UserId): boolean
  /** Users of whom that was said of a room. */
  devicesNoted(roomNid: number): UserId[]
  becameWhole(roomNid: number, position: number, isOverturned: boolean): void
  /** The room was left, or purged. */
  forget(roomNid: number): void
}

/** Users of a room whose devices are noted; of further ones clients learn when they look. */
const MAX_NOTED = 1_000

class Rooms implements PartialRooms {
  readonly #partial = new Map<number, PartialRoom>()
  readonly #whole = new Map<number, { readonly position: number; readonly isOverturned: boolean }>()
  #lastWhole = 0
  readonly #devices = new Map<number, Set<UserId>>()
  readonly #waiting = new Map<number, Set<() => void>>()

  constructor(rows: readonly PartialRoomRow[]) {
    for (const row of rows) {
      if (row.whole_at === 0) this.add(roomOf(row))
      else this.#noteWhole(row.room_nid, row.whole_at, row.overturned === 1)
    }
  }

  find(roomNid: number): PartialRoom | undefined {
    return this.#partial.get(roomNid)
  }

  list(): PartialRoom[] {
    return [...this.#partial.values()]
  }

  requireWhole(roomNid: number): void {
    if (!this.#partial.has(roomNid)) return
    throw notFound('This server has only begun to join the room; ask another one')
  }

  async whenWhole(roomNid: number, signal: AbortSignal): Promise<void> {
    if (!this.#partial.has(roomNid)) return
    signal.throwIfAborted()
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiting = this.#waiting.get(roomNid) ?? new Set()
    this.#waiting.set(roomNid, waiting.add(resolve))
    signal.addEventListener('abort', () => resolve(), { once: true })
    await promise
    waiting.delete(resolve)
    signal.throwIfAborted()
  }

  wholeSince(roomNid: number): number | undefined {
    return this.#whole.get(roomNid)?.position
  }

  overturnedAt(roomNid: number): number | undefined {
    const whole = this.#whole.get(roomNid)
    return whole?.isOverturned === true ? whole.position : undefined
  }

  lastWhole(): number {
    return this.#lastWhole
  }

  #noteWhole(roomNid: number, position: number, isOverturned: boolean): void {
    this.#whole.set(roomNid, { position, isOverturned })
    this.#lastWhole = Math.max(this.#lastWhole, position)
  }

  add(room: PartialRoom): void {
    this.#partial.set(room.roomNid, room)
    this.#whole.delete(room.roomNid)
  }

  attempted(roomNid: number): void {
    const room = this.#partial.get(roomNid)
    if (room !== undefined) this.#partial.set(roomNid, { ...room, attempts: room.attempts + 1 })
  }

  progressed(roomNid: number, progress: PartialProgress): void {
    const room = this.#partial.get(roomNid)
    if (room !== undefined) this.#partial.set(roomNid, { ...room, progress })
  }

  noteDevices(userId: UserId): boolean {
    const server = serverNameOf(userId)
    const rooms = this.list().filter(({ servers }) => servers.includes(server))
    for (const { roomNid } of rooms) {
      const noted = this.#devices.get(roomNid) ?? new Set()
      if (noted.size < MAX_NOTED) this.#devices.set(roomNid, noted.add(userId))
    }
    return rooms.length > 0
  }

  devicesNoted(roomNid: number): UserId[] {
    return [...(this.#devices.get(roomNid) ?? [])]
  }

  becameWhole(roomNid: number, position: number, isOverturned: boolean): void {
    this.forget(roomNid)
    this.#noteWhole(roomNid, position, isOverturned)
  }

  forget(roomNid: number): void {
    this.#partial.delete(roomNid)
    this.#whole.delete(roomNid)
    this.#devices.delete(roomNid)
    const waiting = this.#waiting.get(roomNid)
    this.#waiting.delete(roomNid)
    waiting?.forEach((resolve) => resolve())
  }
}

function roomOf(row: PartialRoomRow): PartialRoom {
  return {
    roomId: row.room_id as RoomId,
    roomNid: row.room_nid,
    eventId: row.event_id as EventId,
    eventNid: row.event_nid,
    servers: JSON.parse(row.servers) as ServerName[],
    membersKnown: row.members_known,
    startedTs: row.started_ts,
    attempts: row.attempts,
  }
}

export async function loadPartialRooms(db: Database): Promise<PartialRooms> {
  return new Rooms(await listPartialRooms(db))
}
