import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { SUPPORTED_ROOM_VERSIONS } from '@causeway/matrix/room-versions/rules.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import type { RemoteMembership, Template } from '../../rooms/join/make-template.ts'
import { FederationError, type FederationClient } from '../federation-client.ts'

const MEBIBYTE = 1024 * 1024
/** The whole state of a large room, with what authorises it. */
const MAX_STATE_BYTES = 512 * MEBIBYTE
const MAKE_TIMEOUT_MS = 20_000
const SEND_TIMEOUT_MS = 120_000

const segment = encodeURIComponent

function malformed(server: ServerName, what: string): FederationError {
  return new FederationError(server, { kind: 'malformed' }, `${server}: ${what}`)
}

/**
 * Asks a resident server for an event by which a user of ours changes their membership. Nothing of it is checked here
 * but its shape. @throws FederationError
 */
export async function requestTemplate(
  client: FederationClient,
  server: ServerName,
  request: { readonly roomId: RoomId; readonly userId: UserId; readonly membership: RemoteMembership },
  signal?: AbortSignal,
): Promise<Template> {
  const { roomId, userId, membership } = request
  const versions = SUPPORTED_ROOM_VERSIONS.map((version) => ['ver', version] as const)
  const answer = await client.request(server, {
    method: 'GET',
    path: `/_matrix/federation/v1/make_${membership}/${segment(roomId)}/${segment(userId)}`,
    ...(membership === 'leave' ? {} : { query: versions }),
    timeoutMs: MAKE_TIMEOUT_MS,
    evenIfBackingOff: true,
    ...(signal === undefined ? {} : { signal }),
  })
  const { event, room_version: version = '1' } = answer
  if (!isJsonObject(event) || typeof version !== 'string')
    throw malformed(server, 'its template has no event')
  return { event, room_version: version }
}

/** What a resident server answers to a join, as it came. */
export interface JoinAnswer {
  readonly state: readonly JsonValue[]
  readonly authChain: readonly JsonValue[]
  /** The join with the resident's signature, where it vouches for it. */
  readonly event: JsonObject | undefined
  readonly membersOmitted: boolean
  readonly serversInRoom: readonly JsonValue[]
}

/** Hands our join to a resident server, for the room's state without members if it can. @throws FederationError */
export async function sendJoin(
  client: FederationClient,
  server: ServerName,
  join: { readonly roomId: RoomId; readonly eventId: EventId; readonly event: JsonObject },
  signal?: AbortSignal,
): Promise<JoinAnswer> {
  const answer = await client.request(server, {
    method: 'PUT',
    path: `/_matrix/federation/v2/send_join/${segment(join.roomId)}/${segment(join.eventId)}`,
    query: [['omit_members', 'true']],
    body: join.event,
    timeoutMs: SEND_TIMEOUT_MS,
    maxBytes: MAX_STATE_BYTES,
    evenIfBackingOff: true,
    ...(signal === undefined ? {} : { signal }),
  })
  const { state, auth_chain: authChain, event, servers_in_room: servers } = answer
  if (!Array.isArray(state) || !Array.isArray(authChain)) throw malformed(server, 'its answer has no state')
  const membersOmitted = answer['members_omitted'] === true
  if (membersOmitted && !Array.isArray(servers)) throw malformed(server, 'its answer has no servers_in_room')
  return {
    state,
    authChain,
    event: isJsonObject(event) ? event : undefined,
    membersOmitted,
    serversInRoom: Array.isArray(servers) ? servers : [],
  }
}

/** Hands our leave or knock to a resident server; what it answers. @throws FederationError */
export function sendMembership(
  client: FederationClient,
  server: ServerName,
  membership: 'leave' | 'knock',
  request: { readonly roomId: RoomId; readonly eventId: EventId; readonly event: JsonObject },
  signal?: AbortSignal,
): Promise<JsonObject> {
  const version = membership === 'leave' ? 'v2' : 'v1'
  return client.request(server, {
    method: 'PUT',
    path: `/_matrix/federation/${version}/send_${membership}/${segment(request.roomId)}/${segment(request.eventId)}`,
    body: request.event,
    timeoutMs: MAKE_TIMEOUT_MS,
    evenIfBackingOff: true,
    ...(signal === undefined ? {} : { signal }),
  })
}
