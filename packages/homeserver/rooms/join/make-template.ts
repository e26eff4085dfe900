import type { JsonObject, Pdu } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError, forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { RoomEngine } from '../engine.ts'
import { chooseAuthorisingUser } from '../restricted-join.ts'
import { stateOf, type RoomWrite } from '../room-write.ts'
import { draftEvent } from '../append-event.ts'
import { readRoom } from './read-room.ts'
import { requireResident, requireServerAllowed } from './server-access.ts'

/** What another server wants to do for one of its users, with our help. */
export type RemoteMembership = 'join' | 'leave' | 'knock'

export interface TemplateRequest {
  readonly roomId: RoomId
  readonly userId: UserId
  readonly membership: RemoteMembership
  /** Who asks. */
  readonly origin: ServerName
  /** Room versions that it knows; undefined where that is not asked. */
  readonly versions?: readonly string[]
}

/** A membership event without hashes and signatures, to be completed by the user's server. */
export interface Template {
  readonly room_version: string
  readonly event: JsonObject
}

/**
 * The event by which a user of another server would join, leave, or knock at the room now. Throws `M_NOT_FOUND`
 * when we are not in the room (or not wholly), `M_FORBIDDEN` when its rules or ACL refuse, and
 * `M_INCOMPATIBLE_ROOM_VERSION`, `M_UNABLE_TO_AUTHORISE_JOIN`, `M_UNABLE_TO_GRANT_JOIN`.
 * https://spec.matrix.org/v1.19/server-server-api/#joining-rooms
 */
export async function makeTemplate(engine: RoomEngine, request: TemplateRequest): Promise<Template> {
  const { roomId, userId, membership, origin } = request
  if (serverNameOf(userId) !== origin) throw forbidden(`${userId} is no user of ${origin}`)
  return readRoom(engine, roomId, async (write) => {
    await requireResident(engine, write)
    engine.partial.requireWhole(write.head.roomNid)
    await requireServerAllowed(engine, write, origin)
    requireVersion(write, request)
    const content: JsonObject = { membership }
    const via = membership === 'join' ? await authorisedVia(engine, write, userId) : undefined
    if (via !== undefined) content['join_authorised_via_users_server'] = via
    const draft = { type: 'm.room.member', sender: userId, stateKey: userId, content }
    const { pdu } = await draftEvent(engine, write, draft)
    return { room_version: write.head.rules.version, event: unsigned(pdu, origin) }
  })
}

function requireVersion(write: RoomWrite, { versions }: TemplateRequest): void {
  const { version } = write.head.rules
  if (versions === undefined || versions.includes(version)) return
  throw new MatrixError(
    'M_INCOMPATIBLE_ROOM_VERSION',
    `The room is of version ${version}, which your server does not say it knows`,
    { extra: { room_version: version } },
  )
}

/** Who of ours vouches for the join, where the join rule wants that: not for who is there or invited already. */
async function authorisedVia(
  engine: RoomEngine,
  write: RoomWrite,
  userId: UserId,
): Promise<UserId | undefined> {
  const current = (await stateOf(engine, write, 'm.room.member', userId))?.stored.content['membership']
  if (current === 'join' || current === 'invite') return undefined
  if (current === 'ban') throw forbidden(`${userId} is banned from this room`)
  return chooseAuthorisingUser(engine, write, userId)
}

/** `origin` is of before version 1.19; older servers look for it. */
function unsigned(pdu: Pdu, origin: ServerName): JsonObject {
  const { hashes: _hashes, signatures: _signatures, event_id: _id, ...rest } = pdu
  return { ...rest, origin } as JsonObject
}
