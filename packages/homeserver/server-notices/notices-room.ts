import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import { findRoomOfBoth } from '@causeway/store/tables/rooms.ts'
import type { Homeserver } from '../homeserver.ts'
import { readMemberProfiles } from '../profile/member-profile.ts'
import { createRoom } from '../rooms/create-room.ts'
import { changeMembership } from '../rooms/membership.ts'
import { editAccountData } from '../user-data/account-data.ts'

/** https://spec.matrix.org/v1.19/client-server-api/#server-notices */
const TAG = 'm.server_notice'

/**
 * The room in which a user of ours is told what the server has to say; made when there is none. Whoever has left it
 * is invited again. In the user's queue of notices.
 */
export async function ensureNoticesRoom(hs: Homeserver, target: UserId): Promise<RoomId> {
  const sender = hs.serverNotices.userId
  const known = (await findRoomOfBoth(hs.db, target, sender)) as RoomId | undefined
  const roomId = known ?? (await makeRoom(hs, target))
  const membership = (await hs.rooms.members.roomsOf(target)).byId.get(roomId)?.membership
  if (membership !== 'join' && membership !== 'invite') {
    const profile = (await readMemberProfiles(hs, [target]))(target)
    await changeMembership(hs.rooms, { roomId, action: 'invite', sender, target, profile })
  }
  await tag(hs, target, roomId)
  return roomId
}

/** Nobody can write in it but the server, which does not tell other servers of it. */
async function makeRoom(hs: Homeserver, target: UserId): Promise<RoomId> {
  const { server_notices: options, default_room_version: version } = hs.config
  const creator = hs.serverNotices.userId
  const profileOf = await readMemberProfiles(hs, [creator, target])
  const { avatar_url: url } = options
  return createRoom(hs.rooms, {
    rules: findRoomVersion(version)!,
    creator,
    preset: 'private_chat',
    creationContent: { 'm.federate': false },
    initialState: url === undefined ? [] : [{ type: 'm.room.avatar', stateKey: '', content: { url } }],
    name: options.room_name,
    invite: [target],
    isDirect: false,
    powerLevelOverride: { users_default: -10 },
    creatorProfile: profileOf(creator),
    profileOf,
  })
}

async function tag(hs: Homeserver, userId: UserId, roomId: RoomId): Promise<void> {
  await editAccountData(hs, { userId, roomId, type: 'm.tag' }, (content): JsonObject | undefined => {
    const tags = isJsonObject(content['tags']) ? content['tags'] : {}
    return tags[TAG] === undefined ? { ...content, tags: { ...tags, [TAG]: {} } } : undefined
  })
}
