import type { JsonObject, JsonValue, Pdu, Signer } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import { MatrixError, invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { isRoomIdOf } from '@causeway/matrix/ids/room-id.ts'
import { parseUserId, serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import { signEvent } from '@causeway/matrix/signing/sign-json.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import type { RoomEngine } from '../engine.ts'
import { requireAllowedByAcl } from '../history/require-server.ts'
import { findRoom } from '../load-head.ts'
import type { RoomPeers } from '../peers/room-peers.ts'
import { verifyPdus, type VerifiedPdu } from '../receive/verify-pdus.ts'
import { storeOutOfBand } from './out-of-band.ts'
import { readSignedEvent } from './signed-event.ts'
import { stripTold } from './stripped-room.ts'

/** An invitation of a user of ours, as another server sends it. */
export interface ReceivedInvite {
  readonly roomId: RoomId
  readonly eventId: EventId
  readonly origin: ServerName
  readonly roomVersion: string
  readonly event: JsonObject
  readonly roomState: JsonValue | undefined
}

export interface InviteDeps {
  readonly peers: Pick<RoomPeers, 'loadKeys' | 'verify'>
  readonly signer: Signer
  /** Throws when the user cannot be invited: there is no such user, or they want none of it. */
  requireInvitable(userId: UserId, inviter: UserId): Promise<void>
}

/**
 * Takes an invitation: checks and signs it, and shows it to the user where nobody of ours is in the room (else it
 * comes to us once more, as an event of the room). Answers the event with our signature. Throws `M_INVALID_PARAM`,
 * `M_INCOMPATIBLE_ROOM_VERSION`, `M_FORBIDDEN`.
 * https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2inviteroomideventid
 */
export async function receiveInvite(
  engine: RoomEngine,
  deps: InviteDeps,
  invite: ReceivedInvite,
  signal?: AbortSignal,
): Promise<Pdu> {
  await requireWelcome(engine, invite)
  const rules = requireVersion(invite)
  const { roomId } = invite
  if (!isRoomIdOf(rules, roomId)) throw invalidParam(`No room of version ${rules.version} has such an id`)
  const invited = requireShape(engine, invite)
  const more = signal === undefined ? {} : { signal }
  const pdu = await readSignedEvent(deps.peers, { roomId, rules }, invite.event, more)
  if (pdu.event.eventId !== invite.eventId)
    throw invalidParam('The address names another event than the body')
  await requireCreate(deps, { roomId, rules }, invite.roomState, signal)
  await deps.requireInvitable(invited, pdu.event.pdu.sender)
  const signed = withOurSignature(rules, pdu, deps.signer)
  await storeOutOfBand(engine, { roomId, rules, pdu: signed, stripped: stripTold(invite.roomState) })
  return signed.event.pdu
}

function requireVersion({ roomVersion }: ReceivedInvite): RoomVersionRules {
  const rules = findRoomVersion(roomVersion)
  if (rules !== undefined) return rules
  throw new MatrixError(
    'M_INCOMPATIBLE_ROOM_VERSION',
    `This server does not know room version ${roomVersion}`,
    {
      extra: { room_version: roomVersion },
    },
  )
}

/** Where we are in the room ourselves we know whom its access control list keeps out. */
async function requireWelcome(engine: RoomEngine, { roomId, origin }: ReceivedInvite): Promise<void> {
  const room = await findRoom(engine, roomId)
  if (room === undefined || (await engine.members.localMembers(room.roomNid)).size === 0) return
  await requireAllowedByAcl(engine, room, origin)
}

/** Whom it invites. */
function requireShape(engine: RoomEngine, { event, origin }: ReceivedInvite): UserId {
  const { type, content, sender, state_key: target } = event
  if (type !== 'm.room.member') throw invalidParam('The event must be of type m.room.member')
  if (!isJsonObject(content) || content['membership'] !== 'invite') {
    throw invalidParam('The membership must be "invite"')
  }
  const inviter = typeof sender === 'string' ? parseUserId(sender) : undefined
  if (inviter === undefined || serverNameOf(inviter) !== origin) {
    throw invalidParam(`The inviting user must be one of ${origin}`)
  }
  const invited = typeof target === 'string' ? parseUserId(target) : undefined
  if (invited === undefined || serverNameOf(invited) !== engine.serverName) {
    throw invalidParam(`The invited user must be one of ${engine.serverName}`)
  }
  return invited
}

/**
 * From room version 12 on, the create event comes with the invitation, whole: it proves the room's id. Other events
 * that come whole are checked as well; stripped ones are shown to the user at the inviter's word, as they always were.
 */
async function requireCreate(
  { peers }: InviteDeps,
  room: { readonly roomId: RoomId; readonly rules: RoomVersionRules },
  told: JsonValue | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!room.rules.roomIdIsCreateHash) return
  const events = Array.isArray(told) ? told.filter(isJsonObject) : []
  const isCreate = (event: JsonObject): boolean =>
    event['type'] === 'm.room.create' && event['state_key'] === ''
  if (!events.some(isCreate)) throw invalidParam('invite_room_state has no m.room.create event')
  const whole = events.filter((event) => isCreate(event) || 'auth_events' in event).slice(0, MAX_WHOLE)
  for (const verdict of await verifyPdus(peers, room, whole, signal)) {
    if (!verdict.ok) throw invalidParam(`An event of invite_room_state is not valid: ${verdict.reason}`)
  }
}

/** More than this many whole events come with no invitation. */
const MAX_WHOLE = 20

function withOurSignature(rules: RoomVersionRules, { event }: VerifiedPdu, signer: Signer): VerifiedPdu {
  const pdu = signEvent(rules, event.pdu, signer)
  const json = new TextEncoder().encode(canonicalJson(pdu, rules.strictCanonicalJson))
  return { event: { ...event, pdu }, json }
}
