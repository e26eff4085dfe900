import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { getRoomByNid } from '../../../rooms/load-head.ts'
import type { UserRoom } from '../../../rooms/membership-index.ts'
import { readStickyOf, renderSticky } from '../../streams/sticky.ts'
import type { SlidingContext } from '../context.ts'
import type { StickyRequest } from '../request.ts'
import { roomsJson, type ExtensionResult } from './extension.ts'
import type { AnsweredRooms } from './scope.ts'

/** Most events that one answer hands out, beside those of rooms that the user came into. */
const MAX_EVENTS = 100

const FORM = /^k(\d{1,16})_([A-Za-z0-9]{1,32})$/

/** How far a client has got; a token of another log (a restored backup) is none: it gets all that is there. */
function parseSince(text: string | undefined, epoch: string): number {
  if (text === undefined) return 0
  const match = FORM.exec(text)
  const position = Number(match?.[1])
  if (match === null || !Number.isSafeInteger(position))
    throw invalidParam('extensions.sticky_events.since is no next_batch that this server has returned')
  return match[2] === epoch ? position : 0
}

/**
 * Events that are sticky and not in the timelines of the answer, of all rooms that are in a list, in its window or not,
 * or subscribed to. https://github.com/matrix-org/matrix-spec-proposals/pull/4480
 */
export async function readStickyEvents(
  ctx: SlidingContext,
  answered: AnsweredRooms,
  asked: StickyRequest,
): Promise<ExtensionResult> {
  const { hs, session, since, now } = ctx
  const after = parseSince(asked.since, hs.epochs.log)
  const joined = interestingRooms(answered)
  const news = await readStickyOf(ctx, {
    joined: [...joined.values()],
    after,
    isInMemory: since !== undefined && ctx.entries !== undefined && after >= since.position,
    limit: Math.min(asked.limit, MAX_EVENTS),
  })
  const told = new Map<string, string>()
  for (const [roomId, events] of news.rooms) {
    const inTimeline = new Set(answered.results.get(roomId)?.eventIds)
    const others = events.filter(({ eventId }) => !inTimeline.has(eventId))
    const room = await getRoomByNid(hs.rooms, joined.get(roomId)!.roomNid)
    const texts = await renderSticky(hs.rooms, room, session, others)
    if (texts.length > 0) told.set(roomId, `{"events":[${texts.join(',')}]}`)
  }
  // Told always, so that the client says next time how far it has got, and nothing has to be looked for again.
  const next = JSON.stringify(`k${news.readUpTo ?? now.position}_${hs.epochs.log}`)
  const rooms = told.size === 0 ? '' : `,"rooms":${roomsJson(told)}`
  return { text: `{"next_batch":${next}${rooms}}`, isNews: told.size > 0 }
}

function interestingRooms({ windows: { lists, wanted } }: AnsweredRooms): Map<string, UserRoom> {
  const rooms = new Map<string, UserRoom>()
  const add = (room: UserRoom): void => {
    if (room.membership === 'join') rooms.set(room.roomId, room)
  }
  for (const { order } of lists.values()) order.forEach(add)
  for (const { room } of wanted.values()) add(room)
  return rooms
}
