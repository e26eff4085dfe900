import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError, forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { buildEvent } from '@causeway/matrix/events/build.ts'
import { referenceHash } from '@causeway/matrix/events/reference-hash.ts'
import type { EventReference } from '@causeway/matrix/events/pdu.ts'
import { findEventRowsByNid } from '@causeway/store/tables/events.ts'
import { sha256 } from '../../crypto/sha256.ts'
import { completeTemplate } from '../../rooms/join/complete-template.ts'
import { storeOutOfBand } from '../../rooms/join/out-of-band.ts'
import { signBuilt } from '../../rooms/join/signed-event.ts'
import { findRoom } from '../../rooms/load-head.ts'
import type { VerifiedPdu } from '../../rooms/receive/verify-pdus.ts'
import { roomEventOfRow, type RoomInfo } from '../../rooms/stored-event.ts'
import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { JoiningDeps } from './joining-deps.ts'
import { requestTemplate, sendMembership } from './resident-requests.ts'
import { tryServers } from './try-servers.ts'

export interface RemoteLeave {
  readonly roomId: RoomId
  readonly userId: UserId
  readonly servers: readonly ServerName[]
  /** Of the membership event: reason. */
  readonly content: JsonObject
}

/**
 * Declines an invitation to a room that we are not in, or takes back a knock: through a server that is in it, or, when
 * none does it, for ourselves alone, so that nobody is kept in a room by a server that is down. Throws `M_FORBIDDEN`
 * when there is nothing to leave.
 */
export async function leaveRemoteRoom(
  deps: JoiningDeps,
  request: RemoteLeave,
  signal?: AbortSignal,
): Promise<EventId> {
  const { roomId, userId } = request
  const room = await findRoom(deps.rooms, roomId)
  const standing = (await deps.rooms.members.roomsOf(userId)).byId.get(roomId)
  if (room === undefined || standing === undefined || !['invite', 'knock'].includes(standing.membership)) {
    throw forbidden('You are not in this room')
  }
  const pdu = await leaveThrough(deps, room, request, signal).catch((error: unknown) => {
    if (!(error instanceof MatrixError)) throw error
    deps.logger.info('a room is left for ourselves alone', { room: roomId, user: userId, error })
    return leaveAlone(deps, room, request, standing.eventNid)
  })
  await storeOutOfBand(deps.rooms, { roomId, rules: room.rules, pdu, stripped: undefined })
  return pdu.event.eventId
}

function leaveThrough(
  deps: JoiningDeps,
  room: RoomInfo,
  { roomId, userId, servers, content }: RemoteLeave,
  signal: AbortSignal | undefined,
): Promise<VerifiedPdu> {
  const { client } = deps.federation
  return tryServers(deps, servers, 'leave this room', async (server) => {
    const template = await requestTemplate(client, server, { roomId, userId, membership: 'leave' }, signal)
    const { built } = completeTemplate(template, {
      roomId,
      userId,
      membership: 'leave',
      content,
      now: deps.clock.now(),
      rules: room.rules,
      newEventId: () => newEventId(deps),
    })
    const own = signBuilt(built, deps.signer)
    const event = own.event.pdu as unknown as JsonObject
    await sendMembership(client, server, 'leave', { roomId, eventId: built.eventId, event }, signal)
    return own
  })
}

/** A leave that follows the invitation or knock directly; nobody else learns of it. */
async function leaveAlone(
  deps: JoiningDeps,
  room: RoomInfo,
  { roomId, userId, content }: RemoteLeave,
  eventNid: number,
): Promise<VerifiedPdu> {
  const [row] = await findEventRowsByNid(deps.db, [eventNid])
  if (row === undefined) throw new Error(`The membership event ${eventNid} is missing`)
  const before = roomEventOfRow(room, row)
  const { rules } = room
  const authEventIds = [...before.authEventIds.slice(0, MAX_KEPT_AUTH), before.eventId]
  const built = buildEvent(
    rules,
    {
      type: 'm.room.member',
      sender: userId,
      stateKey: userId,
      roomId,
      content: { ...content, membership: 'leave' },
      originServerTs: deps.clock.now(),
      depth: Math.min(before.pdu.depth + 1, Number.MAX_SAFE_INTEGER),
      prevEventIds: [before.eventId],
      authEventIds,
      ...(rules.eventId === 'embedded' ? { eventId: newEventId(deps) } : {}),
      ...(rules.referencePairs ? { referenceHashes: hashesOf(room, before) } : {}),
    },
    { sha256 },
  )
  return signBuilt(built, deps.signer)
}

/** An event lists ten auth events at most. */
const MAX_KEPT_AUTH = 9

function hashesOf({ rules }: RoomInfo, event: RoomEvent): Map<EventId, string | undefined> {
  const pair = (reference: EventReference): [EventId, string | undefined][] =>
    typeof reference === 'string' ? [] : [[reference[0] as EventId, reference[1].sha256]]
  return new Map<EventId, string | undefined>([
    ...event.pdu.auth_events.flatMap(pair),
    [event.eventId, referenceHash(rules, event.pdu, sha256)] as const,
  ])
}

function newEventId({ random, serverName }: JoiningDeps): EventId {
  return `$${random.token(24)}:${serverName}` as EventId
}
