import type { EventId, RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
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
  /** Position of the join since which a room was partial that is whole now. */
  partialSince(roomNid: number): number | undefined
  add(room: PartialRoom): void
  attempted(roomNid: number): void
  progressed(roomNid: number, progress: PartialProgress): void
  /** Partial rooms that users of a server may be members of. */
  roomsWith(server: ServerName): number[]
  /**
   * Whether changes of a user's devices are worth remembering: they may be a member of one of the rooms, which were partial
   * a moment ago. Of so many users a room, since anybody may say so.
   */
  admitDevices(userId: UserId, roomNids: readonly number[]): boolean
  /** What is to be done as soon as the log says that the room is whole, before any reader hears of it. */
  expectWhole(roomNid: number, takeIn: (position: number) => void): void
  /** The log says so; done once. */
  logged(roomNid: number, position: number): void
  /** It will not say so. */
  stayPartial(roomNid: number): void
  becameWhole(roomNid: number, position: number, isOverturned: boolean): void
  /** The room was left, or purged. */
  forget(roomNid: number): void
}

/** Users of a room whose changes are told once it is whole; of further ones clients learn when they look. */
const MAX_NOTED = 1_000

interface WholeRoom {
  readonly position: number
  readonly isOverturned: boolean
  readonly partialSince: number
}

class Rooms implements PartialRooms {
  readonly #partial = new Map<number, PartialRoom>()
  readonly #whole = new Map<number, WholeRoom>()
  #lastWhole = 0
  readonly #devices = new Map<number, Set<UserId>>()
  readonly #waiting = new Map<number, Set<() => void>>()
  readonly #completing = new Map<number, (position: number) => void>()

  constructor(rows: readonly PartialRoomRow[]) {
    for (const row of rows) {
      if (row.whole_at === 0) this.add(roomOf(row))
      else
        this.#noteWhole(row.room_nid, {
          position: row.whole_at,
          isOverturned: row.overturned === 1,
          partialSince: row.event_nid,
        })
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

  partialSince(roomNid: number): number | undefined {
    return this.#whole.get(roomNid)?.partialSince
  }

  #noteWhole(roomNid: number, whole: WholeRoom): void {
    this.#whole.set(roomNid, whole)
    this.#lastWhole = Math.max(this.#lastWhole, whole.position)
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

  roomsWith(server: ServerName): number[] {
    return this.list()
      .filter(({ servers }) => servers.includes(server))
      .map(({ roomNid }) => roomNid)
  }

  admitDevices(userId: UserId, roomNids: readonly number[]): boolean {
    let isAdmitted = false
    for (const roomNid of roomNids) {
      const noted = this.#devices.get(roomNid) ?? new Set()
      if (!noted.has(userId) && noted.size >= MAX_NOTED) continue
      isAdmitted = true
      if (this.#partial.has(roomNid)) this.#devices.set(roomNid, noted.add(userId))
    }
    return isAdmitted
  }

  expectWhole(roomNid: number, takeIn: (position: number) => void): void {
    this.#completing.set(roomNid, takeIn)
  }

  logged(roomNid: number, position: number): void {
    const takeIn = this.#completing.get(roomNid)
    this.#completing.delete(roomNid)
    takeIn?.(position)
  }

  stayPartial(roomNid: number): void {
    this.#completing.delete(roomNid)
  }

  becameWhole(roomNid: number, position: number, isOverturned: boolean): void {
    const partialSince = this.#partial.get(roomNid)?.eventNid ?? position
    this.forget(roomNid)
    this.#noteWhole(roomNid, { position, isOverturned, partialSince })
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
