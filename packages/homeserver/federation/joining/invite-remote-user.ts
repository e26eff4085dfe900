import type { JsonObject, Pdu } from '@causeway/matrix/events/pdu.ts'
import type { BuiltEvent } from '@causeway/matrix/events/build.ts'
import type { EventId, RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import { MatrixError, forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { toRoomEvent } from '@causeway/matrix/events/make-room-event.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { signEvent } from '@causeway/matrix/signing/sign-json.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { sha256 } from '../../crypto/sha256.ts'
import { acceptEvent, type AcceptOptions } from '../../rooms/join/accept-event.ts'
import { draftEvent } from '../../rooms/append-event.ts'
import { readRoom } from '../../rooms/join/read-room.ts'
import { requireServerAllowed } from '../../rooms/join/server-access.ts'
import { signBuilt } from '../../rooms/join/signed-event.ts'
import { requirePolicy } from '../../rooms/policy/others-events.ts'
import type { VerifiedPdu } from '../../rooms/receive/verify-pdus.ts'
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
  /** Whether it was scheduled, and is sent now. */
  readonly isDelayed?: boolean
  /** What goes into the log with it. */
  readonly companions?: AcceptOptions['companions']
  /** Absent: whenever it is tried it is made anew. */
  readonly once?: MadeOnce
}

/** An event that stays the same however often it is tried: it is written down before another server is asked to sign it. */
export interface MadeOnce {
  /** What was written down; null: nothing. */
  readonly made: string | null
  /** Resolves once it is durable; throws when it is not to be sent any more. @param json without signatures */
  keep(json: string): Promise<void>
}

/**
 * Invites a user of another server: the event goes to that server first, which signs it and so says that the user can
 * be invited, and then into the room. Throws `M_FORBIDDEN`, or the other server's refusal; `CompanionRefused`, and what
 * `once` throws. https://spec.matrix.org/v1.19/server-server-api/#inviting-to-a-room
 */
export async function inviteRemoteUser(
  deps: JoiningDeps,
  invite: RemoteInvite,
  signal?: AbortSignal,
): Promise<EventId> {
  const { roomId, once, companions, isDelayed } = invite
  const options = {
    ...(companions === undefined ? {} : { companions }),
    flags: isDelayed === true ? EventFlag.delayed : 0,
  }
  return sendSigned(deps, roomId, await makeInvite(deps, invite, once), options, signal)
}

/** The invitation with our signature: as it was made before, or as the room is now. */
async function makeInvite(
  deps: JoiningDeps,
  invite: RemoteInvite,
  once: MadeOnce | undefined,
): Promise<VerifiedPdu> {
  if (once !== undefined && once.made !== null) return readMade(deps, invite.roomId, once.made)
  const built = await draftInvite(deps, invite)
  await once?.keep(`${built.head}${built.tail}`)
  return signBuilt(built, deps.signer)
}

async function readMade(deps: JoiningDeps, roomId: RoomId, made: string): Promise<VerifiedPdu> {
  const { rules } = await readRoom(deps.rooms, roomId, async ({ head }) => head)
  const pdu = signEvent(rules, { ...(JSON.parse(made) as Pdu), signatures: {} }, deps.signer)
  const json = new TextEncoder().encode(canonicalJson(pdu, rules.strictCanonicalJson))
  return { event: toRoomEvent(rules, pdu, sha256), json }
}

function draftInvite(
  deps: JoiningDeps,
  { roomId, sender, target, content }: RemoteInvite,
): Promise<BuiltEvent> {
  return readRoom(deps.rooms, roomId, async (write) => {
    if (target === sender) throw forbidden('You cannot invite yourself')
    const current = await stateOf(deps.rooms, write, 'm.room.member', target)
    if (current?.stored.content['membership'] === 'join') throw forbidden(`${target} is already in the room`)
    await requireServerAllowed(deps.rooms, write, serverNameOf(target))
    const invite = { ...content, membership: 'invite' }
    return draftEvent(deps.rooms, write, { type: 'm.room.member', sender, stateKey: target, content: invite })
  })
}

/** Hands an invite to the invited user's server, unless that is ours, and with its signature to the room. */
export async function sendInvite(
  deps: JoiningDeps,
  roomId: RoomId,
  built: BuiltEvent,
  signal?: AbortSignal,
): Promise<EventId> {
  return sendSigned(deps, roomId, signBuilt(built, deps.signer), {}, signal)
}

async function sendSigned(
  deps: JoiningDeps,
  roomId: RoomId,
  made: VerifiedPdu,
  options: AcceptOptions,
  signal: AbortSignal | undefined,
): Promise<EventId> {
  const room = await readRoom(deps.rooms, roomId, async ({ head }) => head)
  const { rules } = room
  const own = await requirePolicy(deps.rooms, room, made, signal)
  const { eventId, pdu } = own.event
  const target = pdu.state_key as UserId
  if (serverNameOf(target) === deps.serverName) {
    await acceptEvent(deps.rooms, roomId, own, options)
    return eventId
  }
  const stripped = await strippedPdus(deps.rooms, roomId, pdu.sender)
  const invite = { roomId, rules, pdu, eventId, stripped }
  const signed = await tryServers(deps, [serverNameOf(target)], `invite ${target}`, async (server) => {
    const answered = await request(deps, server, invite, signal)
    return countersigned(deps, { roomId, rules }, own, answered, signal)
  })
  if (signed.event.pdu.signatures[serverNameOf(target)] === undefined) {
    throw new MatrixError('M_UNKNOWN', `${serverNameOf(target)} did not sign the invitation`, { status: 502 })
  }
  await acceptEvent(deps.rooms, roomId, signed, options)
  return eventId
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
