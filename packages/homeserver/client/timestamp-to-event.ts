// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event
import { Type } from 'typebox'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, RawJson, type Session } from '../http/endpoint.ts'
import { findByTime } from '../rooms/history/find-by-time.ts'
import { HISTORY_END, HISTORY_START, listHistory } from '../rooms/history/read-history.ts'
import { timestampAnswer } from '../rooms/history/serve-timestamp.ts'
import { filterVisible, showAll } from '../rooms/visibility.ts'
import { v1 } from './paths.ts'
import { requireAccess, type RoomAccess } from './room-access.ts'
import { roomParams } from './schemas.ts'

/** How long other servers are asked for what is missing near the time, in milliseconds. */
const PATIENCE_MS = 10_000
const MAX_ROUNDS = 30

interface Wanted {
  readonly ts: number
  readonly direction: 'f' | 'b'
}

/** The closest event that is held, and again after gaps near it were filled. */
async function findOverGaps(
  hs: Homeserver,
  session: Session,
  access: RoomAccess,
  wanted: Wanted,
): Promise<StoredEvent | undefined> {
  const { room, upTo, isWhole = false } = access
  const deadline = hs.clock.monotonic() + PATIENCE_MS
  const filter = async (events: readonly StoredEvent[]): Promise<readonly StoredEvent[]> => {
    const within = events.filter((event) => event.nid <= upTo)
    const seen = isWhole
      ? await showAll(hs.rooms, room, within)
      : await filterVisible(hs.rooms, room, session.userId, within)
    return seen.map(({ event }) => event)
  }
  for (let round = 0; ; round++) {
    const found = await findByTime(hs.rooms, room, { ...wanted, filter })
    if (round === MAX_ROUNDS || hs.clock.monotonic() >= deadline) return found
    const from = await placeOfGap(hs, access, wanted, found)
    if (from === undefined || !(await hs.history.fill(room, { from, downTo: from.depth }, deadline)))
      return found
  }
}

/** The event before which a gap would hold something closer to the time. */
async function placeOfGap(
  hs: Homeserver,
  { room, upTo }: RoomAccess,
  { direction }: Wanted,
  found: StoredEvent | undefined,
): Promise<StoredEvent | undefined> {
  if (direction === 'f' && found !== undefined) return found
  const after = found === undefined ? HISTORY_START : { depth: found.depth, nid: found.nid }
  const range = {
    after,
    before: HISTORY_END,
    arrivedBefore: upTo + 1,
    backwards: direction === 'f',
    limit: 1,
  }
  return (await listHistory(hs.rooms, room, range))[0]
}

/** The event closest to a time that may be read. Throws `M_NOT_FOUND`. */
export async function answerTimestamp(
  hs: Homeserver,
  session: Session,
  access: RoomAccess,
  wanted: Wanted,
): Promise<RawJson> {
  const event = await findOverGaps(hs, session, access, wanted)
  if (event === undefined) throw notFound('There is no event of this room in that direction that you may see')
  return new RawJson(timestampAnswer(event))
}

export const getEventByTimestamp = defineEndpoint({
  operation: 'getEventByTimestamp',
  method: 'GET',
  ...v1('/rooms/:roomId/timestamp_to_event', '/org.matrix.msc3030/rooms/:roomId/timestamp_to_event'),
  auth: 'user',
  rateLimit: 'read',
  params: roomParams,
  query: Type.Object({
    ts: Type.Integer({ minimum: 0 }),
    dir: Type.Union([Type.Literal('f'), Type.Literal('b')]),
  }),
  run: async (hs, { session, params, query }) => {
    const access = await requireAccess(hs.rooms, session, params.roomId)
    return answerTimestamp(hs, session, access, { ts: query.ts, direction: query.dir })
  },
})
