import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { SentRoom } from './connection.ts'
import type { SlidingContext } from './context.ts'
import { readExtensions } from './extensions/read-extensions.ts'
import { nextRooms } from './next-state.ts'
import { planRooms, type RoomPlan } from './room-plans.ts'
import { readRoomResult, MAX_TIMELINE, type RoomResult } from './room-result.ts'
import { readWindows, type ListResult } from './windows.ts'

/** What a client is told, without its position. */
export interface Answer {
  /** Members of the answer's object. */
  readonly text: string
  /** There is something that a client waits for. */
  readonly isNews: boolean
  /** What it will have been told; undefined: nothing more than before. */
  readonly rooms: ReadonlyMap<number, SentRoom> | undefined
  /** Membership events that it is told of. */
  readonly members: readonly StoredEvent[]
}

/** Rooms that are read side by side: at most so many, */
const MAX_ROOMS_AT_A_TIME = 64
/** and with at most so many events in their timelines, which are held as objects meanwhile. */
const MAX_EVENTS_AT_A_TIME = 4_096

/** Everything that there is to tell, as of the context's position. No query where nothing happened or is asked anew. */
export async function answer(ctx: SlidingContext): Promise<Answer> {
  const windows = await readWindows(ctx)
  const plans = await planRooms(ctx, windows.wanted)
  const results = await readResults(ctx, plans)
  const extensions = await readExtensions(ctx, { windows, results })
  const rooms = [...results].filter(([, { text }]) => text !== undefined)
  const texts = rooms.map(([roomId, { text }]) => `${JSON.stringify(roomId)}:${text}`)
  return {
    text: `"lists":${listsJson(windows.lists)},"rooms":{${texts.join(',')}},"extensions":${extensions.text}`,
    isNews: rooms.length > 0 || extensions.isNews,
    rooms: nextRooms(ctx, windows.wanted, results, extensions.told),
    members: rooms.flatMap(([, { members }]) => members),
  }
}

async function readResults(
  ctx: SlidingContext,
  plans: readonly RoomPlan[],
): Promise<Map<RoomId, RoomResult>> {
  const results = new Map<RoomId, RoomResult>()
  const joined = plans.map(({ room }) => room).filter(({ membership }) => membership === 'join')
  if (joined.length > 1) await ctx.hs.unread.prepare(ctx.session.userId, joined, ctx.now.position)
  const most = Math.max(1, ...plans.map(({ config }) => Math.min(config.timelineLimit, MAX_TIMELINE)))
  const atATime = Math.min(MAX_ROOMS_AT_A_TIME, Math.ceil(MAX_EVENTS_AT_A_TIME / most))
  for (let from = 0; from < plans.length; from += atATime) {
    const portion = plans.slice(from, from + atATime)
    const read = await Promise.all(portion.map((plan) => readRoomResult(ctx, plan)))
    portion.forEach(({ room }, at) => results.set(room.roomId, read[at]!))
  }
  return results
}

function listsJson(lists: ReadonlyMap<string, ListResult>): string {
  return JSON.stringify(
    Object.fromEntries(
      [...lists].map(([name, { count, windows }]) => [
        name,
        { count, ops: windows.map(({ range, roomIds }) => ({ op: 'SYNC', range, room_ids: roomIds })) },
      ]),
    ),
  )
}
