import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { SentRoom } from './connection.ts'
import type { SlidingContext } from './context.ts'
import type { RoomResult } from './room-result.ts'
import type { WantedRoom } from './windows.ts'

type SentRooms = ReadonlyMap<number, SentRoom>

/**
 * What the client will have been told of its rooms once it has the answer: rooms that it asked for up to the answer,
 * others up to where they were last. Undefined where that is what it had been told before.
 */
export function nextRooms(
  ctx: SlidingContext,
  wanted: ReadonlyMap<RoomId, WantedRoom>,
  results: ReadonlyMap<RoomId, RoomResult>,
  told: ReadonlyMap<number, number>,
): SentRooms | undefined {
  const before = ctx.turn.base.rooms
  const seen = new Map<number, SentRoom>()
  let isChanged = false
  for (const [roomId, { room, config }] of wanted) {
    const sent = before.get(room.roomNid)
    const next: SentRoom = {
      config: results.get(roomId)?.told ?? sent?.config ?? config,
      until: undefined,
      told: told.get(room.roomNid) ?? 0,
    }
    isChanged ||= !isSame(sent, next)
    seen.set(room.roomNid, next)
  }
  const unseen = [...before].filter(([roomNid]) => !seen.has(roomNid))
  isChanged ||= unseen.some(([, { until }]) => until === undefined)
  if (!isChanged) return undefined
  const present = presentRooms(ctx)
  for (const [roomNid, sent] of unseen) if (present.has(roomNid)) seen.set(roomNid, outOfSight(ctx, sent))
  return seen
}

function isSame(a: SentRoom | undefined, b: SentRoom): boolean {
  return a !== undefined && a.config.key === b.config.key && a.until === b.until && a.told === b.told
}

/** A room that is in no window any more was told up to the answer before. */
function outOfSight({ since }: SlidingContext, sent: SentRoom): SentRoom {
  return sent.until === undefined ? { ...sent, until: since!.position } : sent
}

/** Rooms that are not over for the user: of others nothing is remembered that nobody looks at. */
function presentRooms({ rooms }: SlidingContext): ReadonlySet<number> {
  const present = new Set<number>()
  for (const { roomNid, membership, forgotten } of rooms.byId.values())
    if (membership !== 'leave' && !forgotten) present.add(roomNid)
  return present
}
