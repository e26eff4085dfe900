import type { JsonObject, Pdu } from '@causeway/matrix/events/pdu.ts'
import type { BuiltEvent } from '@causeway/matrix/events/build.ts'
import type { EventId, RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import { MatrixError, forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { acceptEvent } from '../../rooms/join/accept-event.ts'
import { draftEvent } from '../../rooms/append-event.ts'
import { readRoom } from '../../rooms/join/read-room.ts'
import { requireServerAllowed } from '../../rooms/join/server-access.ts'
import { signBuilt } from '../../rooms/join/signed-event.ts'
import { requirePolicy } from '../../rooms/policy/others-events.ts'
import { strippedPdus } from '../../rooms/join/stripped-room.ts'
import { stateOf } from '../../rooms/room-write.ts'
import { FederationError } from '../federation-client.ts'
import { countersigned } from './countersigned.ts'
import type { JoiningDeps } from './joining-deps.ts'
import { tryServers } from './try-servers.ts'

export interface RemoteInvite {
  readonly roomId: RoomId
  readonly sender: UserId
  readonly target: UserId
  /** Of the membership event: reason, `is_direct`, profile. */
  readonly content: JsonObject
}

/**
 * Invites a user of another server: the event goes to that server first, which signs it and so says that the user can
 * be invited, and then into the room. Throws `M_FORBIDDEN`, or the other server's refusal.
 * https://spec.matrix.org/v1.19/server-server-api/#inviting-to-a-room
 */
export async function inviteRemoteUser(
  deps: JoiningDeps,
  { roomId, sender, target, content }: RemoteInvite,
  signal?: AbortSignal,
): Promise<EventId> {
  const built = await readRoom(deps.rooms, roomId, async (write) => {
    if (target === sender) throw forbidden('You cannot invite yourself')
    const current = await stateOf(deps.rooms, write, 'm.room.member', target)
    if (current?.stored.content['membership'] === 'join') throw forbidden(`${target} is in the room already`)
    await requireServerAllowed(deps.rooms, write, serverNameOf(target))
    const invite = { ...content, membership: 'invite' }
    return draftEvent(deps.rooms, write, { type: 'm.room.member', sender, stateKey: target, content: invite })
  })
  return sendInvite(deps, roomId, built, signal)
}

/** Hands an invite to the invited user's server, unless that is ours, and with its signature to the room. */
export async function sendInvite(
  deps: JoiningDeps,
  roomId: RoomId,
  built: BuiltEvent,
  signal?: AbortSignal,
): Promise<EventId> {
  const room = await readRoom(deps.rooms, roomId, async ({ head }) => head)
  const { rules } = room
  const own = await requirePolicy(deps.rooms, room, signBuilt(built, deps.signer), signal)
  const target = own.event.pdu.state_key as UserId
  if (serverNameOf(target) === deps.serverName) {
    await acceptEvent(deps.rooms, roomId, own)
    return built.eventId
  }
  const stripped = await strippedPdus(deps.rooms, roomId, own.event.pdu.sender)
  const invite = { roomId, rules, pdu: own.event.pdu, eventId: built.eventId, stripped }
  const signed = await tryServers(deps, [serverNameOf(target)], `invite ${target}`, async (server) => {
    const answered = await request(deps, server, invite, signal)
    return countersigned(deps, { roomId, rules }, own, answered, signal)
  })
  if (signed.event.pdu.signatures[serverNameOf(target)] === undefined) {
    throw new MatrixError('M_UNKNOWN', `${serverNameOf(target)} did not sign the invitation`, { status: 502 })
  }
  await acceptEvent(deps.rooms, roomId, signed)
  return built.eventId
}

interface Invite {
  readonly roomId: RoomId
  readonly rules: RoomVersionRules
  readonly pdu: Pdu
  readonly eventId: EventId
  readonly stripped: JsonObject[]
}

const TIMEOUT_MS = 30_000

/** Version 2 of the operation, and version 1 where the server knows no other and the room is old enough for it. */
async function request(
  { federation }: JoiningDeps,
  server: ServerName,
  invite: Invite,
  signal: AbortSignal | undefined,
): Promise<JsonObject | undefined> {
  const { roomId, rules, eventId } = invite
  const address = `${encodeURIComponent(roomId)}/${encodeURIComponent(eventId)}`
  const event = invite.pdu as unknown as JsonObject
  const state = invite.stripped
  const common = {
    method: 'PUT',
    timeoutMs: TIMEOUT_MS,
    evenIfBackingOff: true,
    ...(signal === undefined ? {} : { signal }),
  } as const
  try {
    const answer = await federation.client.request(server, {
      ...common,
      path: `/_matrix/federation/v2/invite/${address}`,
      body: { event, room_version: rules.version, invite_room_state: state },
    })
    return objectOf(answer['event'])
  } catch (error) {
    if (!isOlderServer(error) || !rules.referencePairs) throw error
  }
  const answer = await federation.client.request(server, {
    ...common,
    path: `/_matrix/federation/v1/invite/${address}`,
    body: { ...event, unsigned: { invite_room_state: state } },
  })
  return objectOf(answer['event'])
}

function objectOf(value: unknown): JsonObject | undefined {
  return isJsonObject(value) ? value : undefined
}

function isOlderServer(error: unknown): boolean {
  if (!(error instanceof FederationError) || error.failure.kind !== 'refused') return false
  const { status, errcode } = error.failure
  return (status === 404 || status === 400) && (errcode === undefined || errcode === 'M_UNRECOGNIZED')
}
