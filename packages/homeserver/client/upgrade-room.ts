// https://spec.matrix.org/v1.19/client-server-api/#room-upgrades
import { Type } from 'typebox'
import { MatrixError, forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { privilegedCreators } from '@causeway/matrix/event-auth/creators.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { findRoomVersion, type RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { moveAliases } from '@causeway/store/tables/aliases.ts'
import { isPublished, publishRoom, unpublishRoom } from '@causeway/store/tables/directory.ts'
import { isExclusiveUser } from '../appservice/registry.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { readMemberProfiles } from '../profile/member-profile.ts'
import { createRoom } from '../rooms/create-room.ts'
import { listStateAt } from '../rooms/current-state.ts'
import { findRoom } from '../rooms/load-head.ts'
import { maySendState } from '../rooms/newest-state.ts'
import { END } from '../rooms/read-events.ts'
import { sendEvent } from '../rooms/send.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import { replacementState } from '../rooms/upgrade/replacement-state.ts'
import { newestAt } from '../sync/timeline-order.ts'
import { carryOverAll } from '../user-data/carry-over.ts'
import { v3 } from './paths.ts'
import { pretendRoomId } from './pretend.ts'
import { roomParams, userIdText } from './schemas.ts'

interface Upgrade {
  readonly room: RoomInfo
  readonly rules: RoomVersionRules
  readonly userId: UserId
  readonly creators: readonly UserId[]
  /** Who stands above all levels in the old room. */
  readonly former: ReadonlySet<string>
  readonly state: readonly StoredEvent[]
  readonly newest: StoredEvent
}

async function openUpgrade(
  hs: Homeserver,
  userId: UserId,
  roomId: RoomId,
  body: { new_version: string; additional_creators?: UserId[] },
): Promise<Upgrade> {
  const room = await findRoom(hs.rooms, roomId)
  if (room === undefined || !(await maySendState(hs.rooms, room, userId, 'm.room.tombstone'))) {
    throw forbidden('You may not replace this room by another')
  }
  const rules = findRoomVersion(body.new_version)
  if (rules === undefined) {
    throw new MatrixError(
      'M_UNSUPPORTED_ROOM_VERSION',
      `This server does not know room version ${body.new_version}`,
    )
  }
  const newest = await newestAt(hs.rooms, room, END - 1)
  const entries = await listStateAt(hs.rooms, room, newest!.roomRoot)
  const create = entries.find(({ stored }) => stored.type === 'm.room.create')!
  return {
    ...{ room, rules, userId, newest: newest!, state: entries.map(({ stored }) => stored) },
    creators: (body.additional_creators ?? []).filter((creator) => creator !== userId),
    former: privilegedCreators(room.rules, create.roomEvent),
  }
}

const BRIDGE_TYPES: ReadonlySet<string> = new Set(['m.bridge', 'uk.half-shot.bridge'])

/**
 * Bridges go along: where not everybody may come in, their bots are asked to. A bot is the sender that a registration names,
 * or, since some name one that never speaks, whom the room's state calls so (MSC2346).
 */
async function botsToInvite(hs: Homeserver, { room, userId, state }: Upgrade): Promise<UserId[]> {
  const joinRule = state.find(({ type }) => type === 'm.room.join_rules')?.content['join_rule']
  if (joinRule === 'public') return []
  const ours = await hs.rooms.members.localMembers(room.roomNid)
  const { registry } = hs.appservices
  const said = state.filter(({ type }) => BRIDGE_TYPES.has(type)).map(({ content }) => content['bridgebot'])
  const named = said.filter((bot) => typeof bot === 'string' && isExclusiveUser(registry, bot)) as UserId[]
  const bots = new Set([...registry.list.map(({ sender }) => sender), ...named])
  return [...bots].filter((bot) => bot !== userId && ours.has(bot))
}

/** Makes the replacement, with the old room's aliases and place in the directory, in one commit. */
async function makeReplacement(hs: Homeserver, upgrade: Upgrade): Promise<RoomId> {
  const { room, rules, userId, creators, former, state, newest } = upgrade
  const wasListed = await isPublished(hs.db, room.roomNid)
  const { creationContent, powerLevels, initialState } = replacementState(rules, state, userId, {
    creators,
    former,
    lastEventId: newest.eventId,
  })
  const profileOf = await readMemberProfiles(hs, [userId])
  const replacement = await createRoom(hs.rooms, {
    rules,
    creator: userId,
    preset: 'private_chat',
    creationContent,
    initialState,
    invite: await botsToInvite(hs, upgrade),
    isDirect: false,
    powerLevelOverride: powerLevels,
    creatorProfile: profileOf(userId),
    profileOf,
    companions: ({ roomId, roomNid }) => ({
      steps: [
        moveAliases(room.roomId, roomId),
        ...(wasListed ? [publishRoom(roomNid), unpublishRoom(room.roomNid)] : []),
      ],
    }),
  })
  if (wasListed) hs.publicRooms.changed()
  return replacement
}

/** What is done for tidiness: a refusal leaves it undone, since the room is replaced all the same. */
async function tryToSend(
  hs: Homeserver,
  roomId: RoomId,
  sender: UserId,
  event: { type: string; stateKey: string; content: JsonObject },
): Promise<void> {
  try {
    await sendEvent(hs.rooms, { roomId, sender, ...event })
  } catch (error) {
    if (!(error instanceof MatrixError)) throw error
  }
}

/** The old room says where it went, has no address any more, and takes no more messages. */
async function closeOld(hs: Homeserver, upgrade: Upgrade, replacement: RoomId): Promise<void> {
  const { room, userId, state } = upgrade
  await sendEvent(hs.rooms, {
    roomId: room.roomId,
    type: 'm.room.tombstone',
    sender: userId,
    stateKey: '',
    content: { body: 'This room has been replaced', replacement_room: replacement },
  })
  const find = (type: string): JsonObject | undefined =>
    state.find((event) => event.type === type && event.stateKey === '')?.content
  if (find('m.room.canonical_alias') !== undefined) {
    await tryToSend(hs, room.roomId, userId, { type: 'm.room.canonical_alias', stateKey: '', content: {} })
  }
  const levels = find('m.room.power_levels') ?? {}
  const least = Math.max(50, numberOr(levels['users_default'], 0) + 1)
  const raised = {
    ...levels,
    events_default: Math.max(least, numberOr(levels['events_default'], 0)),
    invite: Math.max(least, numberOr(levels['invite'], 0)),
  }
  await tryToSend(hs, room.roomId, userId, { type: 'm.room.power_levels', stateKey: '', content: raised })
}

function numberOr(value: unknown, fallback: number): number {
  return typeof value === 'number' ? value : fallback
}

/** Spaces that the room names as its parents, and that name it, get the new room in its place. */
async function moveInSpaces(hs: Homeserver, upgrade: Upgrade, replacement: RoomId): Promise<void> {
  const { room, userId, state } = upgrade
  for (const { stateKey } of state.filter((event) => event.type === 'm.space.parent')) {
    const space = await findRoom(hs.rooms, stateKey as RoomId)
    if (space === undefined) continue
    const newest = await newestAt(hs.rooms, space, END - 1)
    const entries = newest === undefined ? [] : await listStateAt(hs.rooms, space, newest.roomRoot)
    const child = entries.find(
      ({ stored }) => stored.type === 'm.space.child' && stored.stateKey === room.roomId,
    )
    if (child === undefined || !Array.isArray(child.stored.content['via'])) continue
    const send = (roomId: string, content: JsonObject): Promise<void> =>
      tryToSend(hs, space.roomId, userId, { type: 'm.space.child', stateKey: roomId, content })
    await send(replacement, { ...child.stored.content, via: [hs.serverName] })
    await send(room.roomId, {})
  }
}

export const upgradeRoom = defineEndpoint({
  operation: 'upgradeRoom',
  method: 'POST',
  ...v3('/rooms/:roomId/upgrade'),
  auth: 'user',
  rateLimit: 'create_room',
  params: roomParams,
  body: Type.Object({
    new_version: Type.String(),
    additional_creators: Type.Optional(Type.Array(userIdText, { maxItems: 100 })),
  }),
  run: async (hs, { session, params, body }) => {
    const upgrade = await openUpgrade(hs, session.userId, params.roomId, body)
    if (session.isShadowBanned === true) return { replacement_room: pretendRoomId(hs) }
    const replacement = await makeReplacement(hs, upgrade)
    await closeOld(hs, upgrade, replacement)
    await moveInSpaces(hs, upgrade, replacement)
    await carryOverAll(hs, replacement)
    return { replacement_room: replacement }
  },
})
