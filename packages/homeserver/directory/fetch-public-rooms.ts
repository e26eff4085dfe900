// https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1publicrooms
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import { isRoomId } from '@causeway/matrix/ids/room-id.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import {
  FederationError,
  type FederationClient,
  type FederationRequest,
} from '../federation/federation-client.ts'
import { pageSize, type DirectoryQuestion } from './read-public-rooms.ts'

const PATH = '/_matrix/federation/v1/publicRooms'
const TIMEOUT_MS = 30_000
const MAX_BYTES = 4 * 1024 * 1024
const MAX_TOKEN_LENGTH = 1_000
const MAX_TEXT_LENGTH = 10_000

/** What an entry may hold, and of which kind it must be. */
const FIELDS: Readonly<Record<string, 'string' | 'number' | 'boolean'>> = {
  name: 'string',
  topic: 'string',
  canonical_alias: 'string',
  avatar_url: 'string',
  join_rule: 'string',
  room_type: 'string',
  num_joined_members: 'number',
  world_readable: 'boolean',
  guest_can_join: 'boolean',
}
const DEFAULTS: JsonObject = { num_joined_members: 0, world_readable: false, guest_can_join: false }

/**
 * A page of another server's directory: as many rooms as were asked for at most, and nothing but what clients
 * know how to read. @throws FederationError
 */
export async function fetchPublicRooms(
  client: FederationClient,
  server: ServerName,
  question: DirectoryQuestion,
): Promise<JsonObject> {
  const limit = pageSize(question.limit)
  const answer = await client.request(server, requestOf(question, limit))
  const { chunk } = answer
  if (!Array.isArray(chunk)) {
    throw new FederationError(server, { kind: 'malformed' }, `${server} answered with what is no directory`)
  }
  const page: JsonObject = {
    chunk: chunk
      .slice(0, limit)
      .map(readEntry)
      .filter((entry) => entry !== undefined),
  }
  for (const token of ['next_batch', 'prev_batch']) {
    const value = answer[token]
    if (typeof value === 'string' && value.length <= MAX_TOKEN_LENGTH) page[token] = value
  }
  const total = answer['total_room_count_estimate']
  if (Number.isSafeInteger(total)) page['total_room_count_estimate'] = total as number
  return page
}

/** Without a search the older form, which every server knows. */
function requestOf(question: DirectoryQuestion, limit: number): FederationRequest {
  const { term, roomTypes, networkId, since } = question
  const more = { timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES }
  if (term === undefined && roomTypes === undefined) {
    const query: [string, string][] = [['limit', String(limit)]]
    if (since !== undefined) query.push(['since', since])
    if (networkId === undefined) query.push(['include_all_networks', 'true'])
    else if (networkId !== '') query.push(['third_party_instance_id', networkId])
    return { method: 'GET', path: PATH, query, ...more }
  }
  const filter: JsonObject = {
    ...(term === undefined ? {} : { generic_search_term: term }),
    ...(roomTypes === undefined ? {} : { room_types: [...roomTypes] }),
  }
  const body: JsonObject = {
    limit,
    filter,
    ...(since === undefined ? {} : { since }),
    ...(networkId === undefined ? { include_all_networks: true } : {}),
    ...(networkId === undefined || networkId === '' ? {} : { third_party_instance_id: networkId }),
  }
  return { method: 'POST', path: PATH, body, ...more }
}

function readEntry(entry: JsonValue): JsonObject | undefined {
  if (!isJsonObject(entry) || !isRoomId(entry['room_id'])) return undefined
  const fields = Object.entries(FIELDS)
    .map(([name, kind]) => [name, entry[name], kind] as const)
    .filter(([, value, kind]) => typeof value === kind && isShort(value))
    .map(([name, value]) => [name, value])
  return { ...DEFAULTS, room_id: entry['room_id'], ...(Object.fromEntries(fields) as JsonObject) }
}

function isShort(value: JsonValue | undefined): boolean {
  return typeof value !== 'string' || value.length <= MAX_TEXT_LENGTH
}
