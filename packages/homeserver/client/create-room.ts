// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3createroom
import { Type, type Static } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { RoomAlias, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { formatRoomAlias } from '@causeway/matrix/ids/room-alias.ts'
import { MatrixError, invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { findRoomVersion, type RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import { insertAlias } from '@causeway/store/tables/aliases.ts'
import { publishRoom } from '@causeway/store/tables/directory.ts'
import { checkAliasClaim } from '../appservice/claims.ts'
import { ensureUserThroughAppservice } from '../appservice/query.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, type Session } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import { readMemberProfiles } from '../profile/member-profile.ts'
import { memberContent } from '../rooms/member-content.ts'
import { createRoom as makeRoom, type CreateRoomInput } from '../rooms/create-room.ts'
import { CompanionRefused } from '../rooms/write-to-room.ts'
import { sendPendingInvite } from '../identity/pending-invite.ts'
import {
  findByAddress,
  InviteAddress,
  readAskedAddress,
  type AskedAddress,
  type InviteAddressBody,
} from './invite-address.ts'
import { v3 } from './paths.ts'
import { userIdText } from './schemas.ts'
import { requireInviteWanted } from '../rooms/invite-permissions.ts'

const Preset = Type.Union([
  Type.Literal('private_chat'),
  Type.Literal('trusted_private_chat'),
  Type.Literal('public_chat'),
])

const Body = Type.Object({
  visibility: Type.Optional(Type.Union([Type.Literal('public'), Type.Literal('private')])),
  room_alias_name: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  topic: Type.Optional(Type.String()),
  invite: Type.Optional(Type.Array(userIdText, { maxItems: 100 })),
  // Each of them is a mail.
  invite_3pid: Type.Optional(Type.Array(InviteAddress, { maxItems: 20 })),
  room_version: Type.Optional(Type.String()),
  creation_content: Type.Optional(jsonObject),
  initial_state: Type.Optional(
    Type.Array(
      Type.Object({
        type: Type.String(),
        state_key: Type.Optional(Type.String()),
        content: jsonObject,
      }),
      { maxItems: 500 },
    ),
  ),
  preset: Type.Optional(Preset),
  is_direct: Type.Optional(Type.Boolean()),
  power_level_content_override: Type.Optional(jsonObject),
})

type CreateRoomBody = Static<typeof Body>

export const createRoom = defineEndpoint({
  operation: 'createRoom',
  method: 'POST',
  ...v3('/createRoom'),
  auth: 'user',
  rateLimit: 'create_room',
  body: Body,
  maxBodyBytes: 1024 * 1024,
  run: async (hs, { session, body: asked, signal }) => {
    const body = session.isShadowBanned === true ? forOneself(asked) : asked
    const rules = rulesFor(hs, body.room_version)
    const alias = aliasFor(hs, session, body.room_alias_name)
    const { found, unknown } = await findAddressees(hs, body.invite_3pid ?? [], signal)
    const invite = [...(body.invite ?? []), ...found]
    const input = await roomInput(hs, session.userId, { ...body, invite }, rules)
    try {
      const roomId = await makeRoom(hs.rooms, {
        ...input,
        ...(alias === undefined ? {} : { alias }),
        companions: (room) => ({
          steps: [
            ...(alias === undefined ? [] : [insertAlias(alias, room.roomId, session.userId)]),
            ...(body.visibility === 'public' ? [publishRoom(room.roomNid)] : []),
          ],
        }),
      })
      await inviteLater(hs, roomId, input, signal)
      await inviteAddressesLater(hs, roomId, session.userId, unknown, signal)
      return { room_id: roomId }
    } catch (error) {
      if (!(error instanceof CompanionRefused)) throw error
      throw new MatrixError('M_ROOM_IN_USE', `The alias ${alias ?? ''} is taken; choose another`)
    }
  },
})

/** The room of a shadow-banned user: nobody is asked into it, and nobody finds it. */
function forOneself(body: CreateRoomBody): CreateRoomBody {
  const { visibility, preset = visibility === 'public' ? 'public_chat' : 'private_chat' } = body
  const initialState = (body.initial_state ?? []).filter(({ type }) => type !== 'm.room.member')
  return { ...body, preset, initial_state: initialState, visibility: 'private', invite: [], invite_3pid: [] }
}

/** The room is there whatever becomes of these: one that fails can be sent again. */
async function inviteLater(
  hs: Homeserver,
  roomId: RoomId,
  { creator: sender, invitedLater = [], isDirect, profileOf }: CreateRoomInput,
  signal: AbortSignal,
): Promise<void> {
  const more: JsonObject = isDirect ? { is_direct: true } : {}
  const sent = invitedLater.map((target) => {
    const content = memberContent('invite', profileOf(target), more)
    return hs.joining.invite({ roomId, sender, target, content }, signal).catch((error: unknown) => {
      hs.logger.warn('an invitation to a new room was not taken', { room: roomId, user: target, error })
    })
  })
  await Promise.all(sent)
}

/** Invited by address: those who publish it, and the others. Before the room is made, so that a refusal makes none. */
async function findAddressees(
  hs: Homeserver,
  bodies: readonly InviteAddressBody[],
  signal: AbortSignal,
): Promise<{ readonly found: readonly UserId[]; readonly unknown: readonly AskedAddress[] }> {
  const found: UserId[] = []
  const unknown: AskedAddress[] = []
  for (const asked of bodies.map((body) => readAskedAddress(hs, body))) {
    const userId = await findByAddress(hs, asked, signal)
    if (userId === undefined) unknown.push(asked)
    else found.push(userId)
  }
  return { found, unknown }
}

/** As `inviteLater`, for those of whom only an address is known. */
async function inviteAddressesLater(
  hs: Homeserver,
  roomId: RoomId,
  sender: UserId,
  unknown: readonly AskedAddress[],
  signal: AbortSignal,
): Promise<void> {
  for (const { login, address } of unknown) {
    try {
      await sendPendingInvite(hs, { roomId, sender, login, address }, signal)
    } catch (error) {
      hs.logger.warn('an invitation to a new room was not taken', {
        room: roomId,
        server: login.server,
        error,
      })
    }
  }
}

function rulesFor(hs: Homeserver, version: string | undefined): RoomVersionRules {
  const rules = findRoomVersion(version ?? hs.config.default_room_version)
  if (rules !== undefined) return rules
  throw new MatrixError(
    'M_UNSUPPORTED_ROOM_VERSION',
    `This server does not know room version ${version ?? ''}`,
  )
}

function aliasFor(hs: Homeserver, session: Session, localpart: string | undefined): RoomAlias | undefined {
  if (localpart === undefined) return undefined
  const alias = /[:#\s]/.test(localpart) ? undefined : formatRoomAlias(localpart, hs.serverName)
  if (alias === undefined)
    throw invalidParam('room_alias_name must be the local part of an alias, without # and server')
  checkAliasClaim(hs.appservices.registry, alias, session.appserviceId)
  return alias
}

async function roomInput(
  hs: Homeserver,
  creator: UserId,
  body: CreateRoomBody,
  rules: RoomVersionRules,
): Promise<CreateRoomInput> {
  const invite = body.invite ?? []
  for (const userId of invite) {
    await ensureUserThroughAppservice(hs, userId)
    if (serverNameOf(userId) === hs.serverName) await requireInviteWanted(hs.rooms, creator, userId)
  }
  const profileOf = await readMemberProfiles(hs, [creator, ...invite])
  return {
    rules,
    creator,
    preset: body.preset ?? (body.visibility === 'public' ? 'public_chat' : 'private_chat'),
    creationContent: body.creation_content ?? {},
    initialState: (body.initial_state ?? []).map(({ type, state_key: stateKey = '', content }) => ({
      type,
      stateKey,
      content,
    })),
    ...(body.name === undefined ? {} : { name: body.name }),
    ...(body.topic === undefined ? {} : { topic: body.topic }),
    invite,
    invitedLater: [...new Set(invite)].filter((userId) => serverNameOf(userId) !== hs.serverName),
    isDirect: body.is_direct ?? false,
    powerLevelOverride: body.power_level_content_override ?? {},
    creatorProfile: profileOf(creator),
    profileOf,
  }
}
