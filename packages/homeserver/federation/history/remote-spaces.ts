import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { isRoomId } from '@causeway/matrix/ids/room-id.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { createSingleFlight } from '@causeway/store/cache/single-flight.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { RoomSummary } from '../../rooms/space/summary.ts'
import type { FederationClient } from '../federation-client.ts'

/** What another server told of a room. */
export interface RemoteSpace {
  readonly room: RoomSummary
  /** Children that it described as well. */
  readonly children: ReadonlyMap<RoomId, RoomSummary>
  readonly inaccessible: ReadonlySet<RoomId>
}

/** Rooms of spaces that nobody of ours is in, as others tell of them. */
export interface RemoteSpaces {
  /**
   * Asks these servers one after the other; undefined when none tells of it. Answers are kept for some minutes, refusals
   * are not: whom they tell of a room changes with each who joins.
   */
  find(roomId: RoomId, via: readonly ServerName[]): Promise<RemoteSpace | undefined>
}

const MAX_SERVERS = 3
const TIMEOUT_MS = 5_000
const MAX_BYTES = 4 * 1024 * 1024
const MAX_CHILDREN = 1_000
/** How long an answer is kept. */
const KEEP_MS = 5 * 60_000

interface Kept {
  readonly space: RemoteSpace
  readonly until: number
  readonly bytes: number
}

export function createRemoteSpaces(deps: {
  readonly client: FederationClient
  readonly clock: Clock
  readonly budget: MemoryBudget
}): RemoteSpaces {
  const kept = deps.budget.cache({
    name: 'remote_spaces',
    share: 0.01,
    weigh: (entry: Kept) => 500 + entry.bytes,
  })
  const flights = createSingleFlight<RoomId, RemoteSpace | undefined>()
  return {
    async find(roomId, via) {
      const held = kept.get(roomId)
      if (held !== undefined && held.until > deps.clock.monotonic()) return held.space
      return flights.run(roomId, async () => {
        const answer = await ask(deps.client, roomId, via.slice(0, MAX_SERVERS))
        if (answer !== undefined) kept.set(roomId, { ...answer, until: deps.clock.monotonic() + KEEP_MS })
        return answer?.space
      })
    },
  }
}

async function ask(
  client: FederationClient,
  roomId: RoomId,
  servers: readonly ServerName[],
): Promise<{ space: RemoteSpace; bytes: number } | undefined> {
  for (const server of servers) {
    try {
      const answer = await client.request(server, {
        method: 'GET',
        path: `/_matrix/federation/v1/hierarchy/${encodeURIComponent(roomId)}`,
        query: [['suggested_only', 'false']],
        timeoutMs: TIMEOUT_MS,
        maxBytes: MAX_BYTES,
      })
      const space = readAnswer(roomId, answer)
      if (space !== undefined) return { space, bytes: 2 * JSON.stringify(answer).length }
    } catch {
      // The next server may know; who is down is in the log of the client.
    }
  }
  return undefined
}

function readAnswer(roomId: RoomId, answer: JsonObject): RemoteSpace | undefined {
  const room = readSummary(answer['room'])
  if (room?.roomId !== roomId) return undefined
  const list = (value: JsonValue | undefined): JsonValue[] =>
    Array.isArray(value) ? value.slice(0, MAX_CHILDREN) : []
  const children = list(answer['children'])
    .map((child) => readSummary(child))
    .filter((child) => child !== undefined)
  return {
    room,
    children: new Map(children.map((child) => [child.roomId, child])),
    inaccessible: new Set(list(answer['inaccessible_children']).filter((id): id is RoomId => isRoomId(id))),
  }
}

const TEXTS = [
  'name',
  'topic',
  'canonical_alias',
  'avatar_url',
  'encryption',
  'room_type',
  'room_version',
] as const

/** Only what is known and of the right type goes on to our clients. */
function readSummary(value: JsonValue | undefined): RoomSummary | undefined {
  if (!isJsonObject(value) || !isRoomId(value['room_id'])) return undefined
  const joinRule = typeof value['join_rule'] === 'string' ? value['join_rule'] : 'public'
  const shown: JsonObject = {
    room_id: value['room_id'],
    num_joined_members: Number.isSafeInteger(value['num_joined_members']) ? value['num_joined_members']! : 0,
    world_readable: value['world_readable'] === true,
    guest_can_join: value['guest_can_join'] === true,
    join_rule: joinRule,
  }
  for (const key of TEXTS) if (typeof value[key] === 'string') shown[key] = value[key]
  const allowed = value['allowed_room_ids']
  const children = value['children_state']
  return {
    roomId: value['room_id'],
    joinRule,
    worldReadable: value['world_readable'] === true,
    isSpace: shown['room_type'] === 'm.space',
    allowedRoomIds: Array.isArray(allowed) ? allowed.filter((id): id is RoomId => isRoomId(id)) : [],
    childrenState: Array.isArray(children)
      ? children.slice(0, MAX_CHILDREN).filter((event) => isJsonObject(event))
      : [],
    shown,
  }
}
