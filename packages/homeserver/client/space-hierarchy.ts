// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidhierarchy
import { Type, type Static } from 'typebox'
import { forbidden, invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { childrenOf } from '../rooms/space/children.ts'
import { isVisibleToUser } from '../rooms/space/summary-access.ts'
import { shownToClients, summarizeRoom, type RoomSummary } from '../rooms/space/summary.ts'
import { v1 } from './paths.ts'
import { roomParams } from './schemas.ts'

/** Rooms of one page, and of all pages together. */
const MAX_LIMIT = 50
const MAX_ROOMS = 2_000
/** How long a page asks other servers; what is not known by then is left out. */
const PATIENCE_MS = 15_000

interface Walk {
  /** Undefined for an administrator, who is told of every room that people of ours are in, and of no other. */
  readonly userId: UserId | undefined
  readonly suggestedOnly: boolean
  readonly maxDepth: number
  readonly deadline: number
  readonly seen: Set<RoomId>
  /** Rooms that another server described along with their space. */
  readonly described: Map<RoomId, RoomSummary>
  readonly inaccessible: Set<RoomId>
}

interface Visit {
  readonly roomId: RoomId
  readonly via: readonly ServerName[]
  readonly depth: number
}

async function readRoom(
  hs: Homeserver,
  walk: Walk,
  { roomId, via }: Visit,
): Promise<RoomSummary | undefined> {
  const own = await summarizeRoom(hs.rooms, roomId)
  if (own !== undefined || walk.userId === undefined) return own
  const described = walk.described.get(roomId)
  if (described !== undefined && !described.isSpace) return described
  if (walk.inaccessible.has(roomId) || hs.clock.monotonic() >= walk.deadline) return described
  const others = via.filter((server) => server !== hs.serverName)
  const told = others.length === 0 ? undefined : await hs.remoteSpaces.find(roomId, others)
  for (const [id, child] of told?.children ?? []) walk.described.set(id, child)
  for (const id of told?.inaccessible ?? []) walk.inaccessible.add(id)
  return told?.room ?? described
}

async function isTold({ rooms }: Homeserver, { userId }: Walk, room: RoomSummary): Promise<boolean> {
  return userId === undefined || (await isVisibleToUser(rooms, userId, room))
}

/** The rooms of a space that a user may be told of, each before what is below it. */
async function* walkSpace(hs: Homeserver, walk: Walk, start: Visit): AsyncGenerator<JsonObject> {
  const stack = [start]
  for (let visit = stack.pop(); visit !== undefined; visit = stack.pop()) {
    if (walk.seen.has(visit.roomId) || walk.seen.size >= MAX_ROOMS) continue
    walk.seen.add(visit.roomId)
    const room = await readRoom(hs, walk, visit)
    if (room === undefined || !(await isTold(hs, walk, room))) continue
    const { depth } = visit
    const links = childrenOf(room.childrenState).filter(({ suggested }) => suggested || !walk.suggestedOnly)
    const told = new Set(links.map((link) => link.roomId as string))
    const childrenState = room.childrenState.filter((event) => told.has(event['state_key'] as string))
    yield { ...shownToClients(room), children_state: [...childrenState] }
    if (!room.isSpace || depth >= walk.maxDepth) continue
    stack.push(...links.toReversed().map(({ roomId, via }) => ({ roomId, via, depth: depth + 1 })))
  }
}

const TOKEN = /^(\d{1,5})_([01])_(\d{1,9}|-)$/

/** How many rooms were told already; pages go on only as they were begun. */
function parseFrom(from: string | undefined, suggestedOnly: boolean, maxDepth: number | undefined): number {
  if (from === undefined) return 0
  const parts = TOKEN.exec(from)
  if (parts === null) throw invalidParam('This is no pagination token of a space')
  if (parts[2] !== (suggestedOnly ? '1' : '0') || parts[3] !== String(maxDepth ?? '-')) {
    throw invalidParam('suggested_only and max_depth must be the same on all pages')
  }
  return Number(parts[1])
}

export const HierarchyQuery = Type.Object({
  from: Type.Optional(Type.String()),
  limit: Type.Optional(Type.Integer({ minimum: 1 })),
  max_depth: Type.Optional(Type.Integer({ minimum: 0, maximum: 999_999_999 })),
  suggested_only: Type.Optional(Type.Boolean()),
})

/** @param userId who asks; undefined for an administrator, from whom nothing of this server is hidden */
export async function answerHierarchy(
  hs: Homeserver,
  userId: UserId | undefined,
  roomId: RoomId,
  query: Static<typeof HierarchyQuery>,
): Promise<JsonObject> {
  const { max_depth: maxDepth, suggested_only: suggestedOnly = false } = query
  const skip = parseFrom(query.from, suggestedOnly, maxDepth)
  const limit = Math.min(query.limit ?? MAX_LIMIT, MAX_LIMIT)
  const walk: Walk = {
    userId,
    suggestedOnly,
    maxDepth: maxDepth ?? Number.POSITIVE_INFINITY,
    deadline: hs.clock.monotonic() + PATIENCE_MS,
    seen: new Set(),
    described: new Map(),
    inaccessible: new Set(),
  }
  const rooms: JsonObject[] = []
  let count = 0
  let hasMore = false
  for await (const room of walkSpace(hs, walk, { roomId, via: [], depth: 0 })) {
    if (count === 0 && room['room_id'] !== roomId) break
    hasMore = rooms.length === limit
    if (hasMore) break
    if (count++ >= skip) rooms.push(room)
  }
  if (count === 0) throw forbidden('You may not be told of this room')
  const next = `${skip + rooms.length}_${suggestedOnly ? 1 : 0}_${maxDepth ?? '-'}`
  return hasMore ? { rooms, next_batch: next } : { rooms }
}

export const getSpaceHierarchy = defineEndpoint({
  operation: 'getSpaceHierarchy',
  method: 'GET',
  ...v1('/rooms/:roomId/hierarchy', '/org.matrix.msc2946/rooms/:roomId/hierarchy'),
  auth: 'user',
  rateLimit: 'read',
  params: roomParams,
  query: HierarchyQuery,
  run: (hs, { session, params, query }) => answerHierarchy(hs, session.userId, params.roomId, query),
})
