import type { JsonObject, Pdu, Signer } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { forbidden, invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { parseUserId, serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { RoomEngine } from '../engine.ts'
import { requireAllowedByAcl } from '../history/require-server.ts'
import { findRoom } from '../load-head.ts'
import type { RoomPeers } from '../peers/room-peers.ts'
import type { VerifiedPdu } from '../receive/verify-pdus.ts'
import { requirePolicy } from '../policy/others-events.ts'
import { requireAllowedRoom } from '../restricted-join.ts'
import { stateOf, type RoomWrite } from '../room-write.ts'
import type { RoomInfo } from '../stored-event.ts'
import { acceptEvent } from './accept-event.ts'
import type { RemoteMembership } from './make-template.ts'
import { requireResident, requireServerAllowed } from './server-access.ts'
import { readSignedEvent } from './signed-event.ts'

/** A membership event that another server completed from our template. */
export interface RemoteMembershipEvent {
  readonly roomId: RoomId
  readonly eventId: EventId
  readonly membership: RemoteMembership
  readonly origin: ServerName
  readonly json: JsonObject
}

export interface AcceptDeps {
  readonly peers: Pick<RoomPeers, 'loadKeys' | 'verify'>
  readonly signer: Signer
}

export interface AcceptedMembership {
  readonly room: RoomInfo
  /** With our signature, where we authorise a restricted join. */
  readonly pdu: VerifiedPdu
  readonly stored: StoredEvent
}

/**
 * Takes another server's join, leave or knock into a room we are in. Throws `M_NOT_FOUND` when we are not (wholly),
 * `M_INVALID_PARAM` for an event that is none of these or is not properly signed, `M_FORBIDDEN` when the room's
 * rules, its current state or its ACL refuse it, and what authorising a restricted join throws.
 */
export async function acceptMembership(
  engine: RoomEngine,
  { peers, signer }: AcceptDeps,
  request: RemoteMembershipEvent,
  signal?: AbortSignal,
): Promise<AcceptedMembership> {
  const room = await findRoom(engine, request.roomId)
  if (room === undefined) throw notFound(`This server does not know the room ${request.roomId}`)
  await requireAllowedByAcl(engine, room, request.origin)
  engine.partial.requireWhole(room.roomNid)
  requireShape(request)
  const when = (pdu: Pdu): boolean => authorisedBy(pdu) === engine.serverName
  const options = { sign: { signer, when }, ...(signal === undefined ? {} : { signal }) }
  const signed = await readSignedEvent(peers, room, request.json, options)
  if (signed.event.eventId !== request.eventId)
    throw invalidParam('The address names another event than the body')
  const pdu = await requirePolicy(engine, room, signed, signal)
  const stored = await acceptEvent(engine, room.roomId, pdu, {
    require: (write) => requireStillAllowed(engine, write, request),
  })
  return { room, pdu, stored }
}

function requireShape({ json, membership, origin }: RemoteMembershipEvent): void {
  const { type, sender, state_key: stateKey, content } = json as Partial<Pdu>
  if (type !== 'm.room.member') throw invalidParam('The event must be of type m.room.member')
  if (content?.['membership'] !== membership) throw invalidParam(`The membership must be "${membership}"`)
  if (sender === undefined || sender !== stateKey)
    throw invalidParam('Sender and state key must be the same user')
  const userId = typeof sender === 'string' ? parseUserId(sender) : undefined
  if (userId === undefined || serverNameOf(userId) !== origin) {
    throw forbidden(`Only users of ${origin} may be spoken for by it`)
  }
}

/** The server of whoever vouches for a restricted join. */
function authorisedBy({ content }: Pdu): ServerName | undefined {
  const via = content['join_authorised_via_users_server']
  const userId = typeof via === 'string' ? parseUserId(via) : undefined
  return userId === undefined ? undefined : serverNameOf(userId)
}

/** Time has passed since the template: what it was made under may not be so any more. */
async function requireStillAllowed(
  engine: RoomEngine,
  write: RoomWrite,
  { json, origin }: RemoteMembershipEvent,
): Promise<void> {
  await requireResident(engine, write)
  engine.partial.requireWhole(write.head.roomNid)
  await requireServerAllowed(engine, write, origin)
  const { content, sender } = json as unknown as Pdu
  if (content['membership'] !== 'join' || content['join_authorised_via_users_server'] === undefined) return
  const current = (await stateOf(engine, write, 'm.room.member', sender as UserId))?.stored.content[
    'membership'
  ]
  if (current === 'join' || current === 'invite') return
  await requireAllowedRoom(engine, write, sender)
}
