import { EventFlag, type StoredEvent } from '@causeway/store/log/entry.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { HISTORY_END, HISTORY_START, listHistory } from '../rooms/history/read-history.ts'
import { BEGINNING, listTimeline } from '../rooms/read-events.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import type { PageToken } from './pagination-token.ts'

/** An order in which a room's timeline is read backwards. */
export interface TimelineOrder {
  /** Up to `limit` events before one, newest first; the newest of all when there is none. */
  readBefore(event: StoredEvent | undefined, limit: number): Promise<StoredEvent[]>
  /** Root of the room's state just before an event. */
  rootBefore(event: StoredEvent): Promise<number>
  /** The place before an event, where a page of older ones begins; at the end of the stretch when there is none. */
  tokenBefore(event: StoredEvent | undefined): PageToken
}

/** Numbers between which events are told: up to `upTo`, and after `after` unless it is undefined. */
interface Stretch {
  readonly upTo: number
  readonly after: number | undefined
}

/** As events came: the order of `/sync`. https://spec.matrix.org/v1.19/client-server-api/#syncing */
export function arrivalOrder(engine: RoomEngine, room: RoomInfo, { upTo, after }: Stretch): TimelineOrder {
  return {
    readBefore: (event, limit) =>
      listTimeline(engine, room, {
        after: after ?? BEGINNING,
        before: event?.nid ?? upTo + 1,
        backwards: true,
        limit,
      }),
    rootBefore: (event) => roomRootBefore(engine, room, event),
    tokenBefore: (event) => ({ order: 'arrival', before: event?.nid ?? upTo + 1 }),
  }
}

/** As the graph has them: the order of `/messages`. */
export function graphOrder(
  engine: RoomEngine,
  room: RoomInfo,
  { upTo }: Pick<Stretch, 'upTo'>,
): TimelineOrder {
  const arrivedBefore = upTo + 1
  return {
    readBefore: (event, limit) =>
      listHistory(engine, room, {
        after: HISTORY_START,
        before: event ?? HISTORY_END,
        arrivedBefore,
        backwards: true,
        limit,
      }),
    rootBefore: async (event) => event.stateBefore,
    tokenBefore: (event) => {
      const { depth, nid } = event ?? HISTORY_END
      return { order: 'graph', place: { depth, nid, arrivedBefore } }
    },
  }
}

/** Whether events came in the order of the graph: none is less deep than one before it. */
export function isInGraphOrder(events: readonly StoredEvent[]): boolean {
  return events.every(({ depth }, at) => at === 0 || depth >= events[at - 1]!.depth)
}

/** Root of the room's current state just before an event: the state before it, unless it came by another branch. */
export async function roomRootBefore(
  engine: RoomEngine,
  room: RoomInfo,
  event: StoredEvent,
): Promise<number> {
  if ((event.flags & EventFlag.branched) === 0) return event.stateBefore
  return (await newestAt(engine, room, event.nid - 1))?.roomRoot ?? event.stateBefore
}

/** The last event of a room at a position. */
export async function newestAt(
  engine: RoomEngine,
  room: RoomInfo,
  position: number,
): Promise<StoredEvent | undefined> {
  const range = { after: BEGINNING, before: position + 1, backwards: true, limit: 1 }
  return (await listTimeline(engine, room, range))[0]
}
