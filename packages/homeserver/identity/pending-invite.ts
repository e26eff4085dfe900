import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { Homeserver } from '../homeserver.ts'
import { readMemberProfiles } from '../profile/member-profile.ts'
import { draftEvent } from '../rooms/append-event.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { readRoom } from '../rooms/join/read-room.ts'
import { findRoom } from '../rooms/load-head.ts'
import { readNewestState } from '../rooms/newest-state.ts'
import { sendEvent } from '../rooms/send.ts'
import type { ThirdPartyAddress } from '../addresses/third-party-address.ts'
import type { IdentityLogin } from './look-up-address.ts'
import { storeInvite, type InviteFacts } from './store-invite.ts'
import { withIdentityServer } from './to-client-error.ts'

const TYPE = 'm.room.third_party_invite'

/** Before anybody is told anything. Throws `M_FORBIDDEN` with the reason, `M_NOT_FOUND`. */
export async function requireMayInvite(engine: RoomEngine, roomId: RoomId, sender: UserId): Promise<void> {
  await readRoom(engine, roomId, (write) =>
    draftEvent(engine, write, { type: TYPE, sender, stateKey: 'token', content: {} }),
  )
}

/** State that a mail shows, with the key that holds it and the name that identity servers give it. */
const SHOWN = [
  { type: 'm.room.name', key: 'name', as: 'room_name' },
  { type: 'm.room.canonical_alias', key: 'alias', as: 'room_alias' },
  { type: 'm.room.avatar', key: 'url', as: 'room_avatar_url' },
  { type: 'm.room.join_rules', key: 'join_rule', as: 'room_join_rules' },
  { type: 'm.room.create', key: 'type', as: 'room_type' },
] as const

async function readFacts(hs: Homeserver, roomId: RoomId, sender: UserId): Promise<InviteFacts> {
  const room = await findRoom(hs.rooms, roomId)
  if (room === undefined) throw notFound(`This server does not know the room ${roomId}`)
  const entries = await readNewestState(
    hs.rooms,
    room,
    SHOWN.map(({ type }) => ({ type, stateKey: '' })),
  )
  const shown: Partial<Record<(typeof SHOWN)[number]['as'], string>> = {}
  SHOWN.forEach(({ key, as }, index) => {
    const value = entries[index]?.stored.content[key]
    if (typeof value === 'string' && value !== '') shown[as] = value
  })
  const { displayName, avatarUrl } = (await readMemberProfiles(hs, [sender]))(sender)
  return {
    ...shown,
    room_id: roomId,
    sender,
    ...(displayName === undefined ? {} : { sender_display_name: displayName }),
    ...(avatarUrl === undefined ? {} : { sender_avatar_url: avatarUrl }),
  }
}

/** Somebody to be invited of whom only an address is known. */
export interface PendingInvite {
  readonly roomId: RoomId
  readonly sender: UserId
  readonly login: IdentityLogin
  readonly address: ThirdPartyAddress
}

/**
 * Invites an address that nobody has published as theirs: an identity server sends a mail, and the room remembers its
 * keys, so that whoever shows that the address is theirs becomes an invited user
 * (`federation/joining/take-up-invitation.ts`). Throws what `withIdentityServer` and `sendEvent` throw.
 */
export async function sendPendingInvite(
  hs: Homeserver,
  { roomId, sender, login, address }: PendingInvite,
  signal?: AbortSignal,
): Promise<void> {
  const facts = await readFacts(hs, roomId, sender)
  const stored = await withIdentityServer(login.server, () =>
    storeInvite(hs.identity, login, address, facts, signal),
  )
  const content: JsonObject = stored.content
  await sendEvent(hs.rooms, { roomId, type: TYPE, stateKey: stored.token, sender, content })
}
