import { findInviteKey } from '@causeway/matrix/event-auth/third-party-invite.ts'
import type { JsonObject, RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { BuiltEvent } from '@causeway/matrix/events/build.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { forbidden, invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { parseUserId } from '@causeway/matrix/ids/user-id.ts'
import { verifySignature } from '../../crypto/verify.ts'
import type { RoomEngine } from '../engine.ts'
import { stateOf, type RoomWrite } from '../room-write.ts'
import { draftEvent } from '../append-event.ts'
import { readRoom } from './read-room.ts'
import { requireResident } from './server-access.ts'

/** An invitation by e-mail address or the like that somebody has taken up. */
export interface ThirdPartyInvite {
  readonly roomId: RoomId
  /** Who invited the address. */
  readonly sender: UserId
  /** Whose address it turned out to be. */
  readonly target: UserId
  /** `signed` of the identity server: `mxid`, `token`, `signatures`. */
  readonly signed: JsonObject
}

/** Reads the event that the invited user's server proposes. Throws `M_INVALID_PARAM`. */
export function parseThirdPartyInvite(roomId: RoomId, event: JsonObject): ThirdPartyInvite {
  const { type, room_id: room, sender, state_key: target, content } = event
  if (type !== 'm.room.member') throw invalidParam('The event must be of type m.room.member')
  if (room !== roomId) throw invalidParam('The event must be of the room in the address')
  if (!isJsonObject(content) || content['membership'] !== 'invite') {
    throw invalidParam('The membership must be "invite"')
  }
  const invite = content['third_party_invite']
  const signed = isJsonObject(invite) ? invite['signed'] : undefined
  if (!isJsonObject(signed)) throw invalidParam('third_party_invite.signed is missing')
  const from = typeof sender === 'string' ? parseUserId(sender) : undefined
  const to = typeof target === 'string' ? parseUserId(target) : undefined
  if (from === undefined || to === undefined) throw invalidParam('Sender and state key must be user ids')
  return { roomId, sender: from, target: to, signed }
}

/** What an invitation by address was signed with, and where to ask whether that key is still good. */
export interface InviteKey {
  readonly publicKey: string
  /** Undefined: it is good for ever. */
  readonly validityUrl: string | undefined
}

/** An invite that becomes an event once its key was found to be good. */
export interface DraftedInvite {
  readonly built: BuiltEvent
  readonly key: InviteKey
}

/**
 * The invite that a taken-up invitation by address becomes, made by us for its sender. Throws `M_FORBIDDEN` when the
 * room has no such invitation or its signature is not of a key that the room knows.
 * https://spec.matrix.org/v1.19/server-server-api/#third-party-invites
 */
export function draftThirdPartyInvite(engine: RoomEngine, invite: ThirdPartyInvite): Promise<DraftedInvite> {
  const { roomId, sender, target, signed } = invite
  return readRoom(engine, roomId, async (write) => {
    await requireResident(engine, write)
    engine.partial.requireWhole(write.head.roomNid)
    const pending = await pendingOf(engine, write, signed)
    const name = pending.pdu.content['display_name']
    const content: JsonObject = {
      membership: 'invite',
      third_party_invite: { ...(typeof name === 'string' ? { display_name: name } : {}), signed },
    }
    const built = await draftEvent(engine, write, {
      type: 'm.room.member',
      sender,
      stateKey: target,
      content,
    })
    const publicKey = findInviteKey({ rules: write.head.rules, verifySignature }, signed, pending)
    if (publicKey === undefined)
      throw forbidden('The invitation is not signed with a key that the room knows')
    return { built, key: { publicKey, validityUrl: validityUrlOf(pending, publicKey) } }
  })
}

async function pendingOf(engine: RoomEngine, write: RoomWrite, { token }: JsonObject): Promise<RoomEvent> {
  if (typeof token !== 'string') throw invalidParam('third_party_invite.signed.token is missing')
  const pending = await stateOf(engine, write, 'm.room.third_party_invite', token)
  if (pending === undefined) throw forbidden('The room has no such invitation, or it was withdrawn')
  return pending.roomEvent
}

/** Of the key in the list, and of the single one for events that have no list. */
function validityUrlOf({ pdu: { content } }: RoomEvent, publicKey: string): string | undefined {
  const { public_keys: listed } = content
  const entries = [...(Array.isArray(listed) ? listed : []), content].filter((one) => isJsonObject(one))
  const url = entries.find((one) => one['public_key'] === publicKey)?.['key_validity_url']
  return typeof url === 'string' ? url : undefined
}
