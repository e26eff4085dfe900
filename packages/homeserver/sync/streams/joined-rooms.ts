import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { SyncContext } from '../context.ts'
import type { EventFilter } from '../filter.ts'

/** The rooms of which a reader is told what is not an event, by number. */
export interface ToldRooms {
  /** Joined, and passing the filters. */
  readonly all: ReadonlyMap<number, RoomId>
  /** Those of them that the reader may have come into since their last sync: told as if it were the first time. */
  readonly fresh: readonly number[]
}

/** @param filter of the kind of thing that is told, beside the one of the whole room */
export function toldRooms(ctx: SyncContext, filter: EventFilter): ToldRooms {
  const all = new Map<number, RoomId>()
  const fresh: number[] = []
  for (const roomId of ctx.rooms.joined) {
    if (!ctx.filter.passesRoom(roomId) || !filter.passesRoom(roomId)) continue
    const { roomNid, eventNid } = ctx.rooms.byId.get(roomId)!
    all.set(roomNid, roomId)
    if (ctx.since !== undefined && eventNid > ctx.since.position) fresh.push(roomNid)
  }
  return { all, fresh }
}
