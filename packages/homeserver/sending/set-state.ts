import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { isRoomId } from '@causeway/matrix/ids/room-id.ts'
import { parseUserId, serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { checkNewAliases } from '../directory/check-aliases.ts'
import type { MadeOnce } from '../federation/joining/invite-remote-user.ts'
import type { Homeserver } from '../homeserver.ts'
import { requireInviteWanted } from '../rooms/invite-permissions.ts'
import { comesIn, requireUnblocked } from '../moderation/blocked-rooms.ts'
import type { SendInput } from '../rooms/send.ts'
import { sendState } from '../rooms/send-state.ts'
import { requireRejectable } from '../server-notices/require-rejectable.ts'
import { readMemberProfiles } from '../profile/member-profile.ts'
import { carryOverAll } from '../user-data/carry-over.ts'

type Deps = Pick<
  Homeserver,
  | 'rooms'
  | 'db'
  | 'log'
  | 'pushRules'
  | 'logger'
  | 'serverName'
  | 'serverNotices'
  | 'joining'
  | 'remoteProfiles'
  | 'remoteAliases'
  | 'appservices'
  | 'clock'
>

type StateInput = SendInput & { readonly stateKey: string }

/**
 * Sends a state event as a client asks for it, and sees to what comes with it: the invited user's server signs first;
 * into a room that replaces another one its members' settings go along; addresses that a room gets lead to it. Throws
 * what `sendState` and `checkNewAliases` throw.
 * @param once of what another server signs: absent, it is made anew whenever it is tried
 */
export async function setState(
  hs: Deps,
  input: StateInput,
  signal?: AbortSignal,
  once?: MadeOnce,
): Promise<EventId> {
  const { roomId, type, stateKey, sender, content } = input
  if (type === 'm.room.member' && comesIn(content['membership'])) await requireUnblocked(hs, roomId)
  const target = invitedBy(input)
  if (target !== undefined && serverNameOf(target) !== hs.serverName) {
    const { companions, isDelayed = false } = input
    const together = { ...(companions && { companions }), ...(once && { once }) }
    return hs.joining.invite({ roomId, sender, target, content, isDelayed, ...together }, signal)
  }
  if (type === 'm.room.canonical_alias') await checkNewAliases(hs, input)
  if (target !== undefined) await requireInviteWanted(hs.rooms, sender, target)
  if (type === 'm.room.member' && stateKey === sender && content['membership'] === 'leave')
    await requireRejectable(hs, sender, roomId)
  const eventId = await sendState(hs, await withOwnProfile(hs, input))
  const replacement = replacementIn(type, stateKey, content)
  if (isRoomId(replacement)) await carryOverAll(hs, replacement)
  return eventId
}

const SHOWS_PROFILE: ReadonlySet<unknown> = new Set(['join', 'knock'])

/** Who comes in by a state event, as mautrix bridges let people do, has name and picture like by any other way, unless it says. */
async function withOwnProfile(hs: Deps, input: StateInput): Promise<StateInput> {
  const { type, stateKey, sender, content } = input
  if (type !== 'm.room.member' || stateKey !== sender || !SHOWS_PROFILE.has(content['membership']))
    return input
  const { displayName, avatarUrl } = (await readMemberProfiles(hs, [sender]))(sender)
  const own = {
    ...(displayName === undefined ? {} : { displayname: displayName }),
    ...(avatarUrl === undefined ? {} : { avatar_url: avatarUrl }),
  }
  return { ...input, content: { ...own, ...content } }
}

function invitedBy({ type, stateKey, content }: StateInput) {
  return type === 'm.room.member' && content['membership'] === 'invite' ? parseUserId(stateKey) : undefined
}

/** A room that is replaced step by step, by a client: whoever is in the new one already was there first. */
function replacementIn(type: string, stateKey: string, content: JsonObject): unknown {
  return type === 'm.room.tombstone' && stateKey === '' ? content['replacement_room'] : undefined
}
