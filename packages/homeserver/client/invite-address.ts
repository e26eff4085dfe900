// https://spec.matrix.org/v1.19/client-server-api/#third-party-invites
import { Type, type Static } from 'typebox'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { missingParam } from '@causeway/matrix/errors/matrix-error.ts'
import { ensureUserThroughAppservice } from '../appservice/query.ts'
import type { Homeserver } from '../homeserver.ts'
import { parseThirdPartyAddress, type ThirdPartyAddress } from '../addresses/third-party-address.ts'
import { lookUpAddress, type IdentityLogin } from '../identity/look-up-address.ts'
import { requireMayInvite, sendPendingInvite } from '../identity/pending-invite.ts'
import { withIdentityServer } from '../identity/to-client-error.ts'
import { change } from './change-membership.ts'

/** A token of an identity server: what can stand in a header. */
export const identityToken = Type.String({ pattern: '^[\\x21-\\x7e]{1,4096}$' })
export const identityServerText = Type.String({ maxLength: 262 })

/** All of them are needed; that one is missing has an errcode of its own. */
export const InviteAddress = Type.Object({
  id_server: Type.Optional(identityServerText),
  id_access_token: Type.Optional(identityToken),
  medium: Type.Optional(Type.String({ maxLength: 255 })),
  address: Type.Optional(Type.String({ maxLength: 1024 })),
})

export type InviteAddressBody = Static<typeof InviteAddress>

/** An address to be invited, and by way of whom. */
export interface AskedAddress {
  readonly login: IdentityLogin
  readonly address: ThirdPartyAddress
}

function need(body: InviteAddressBody, key: keyof InviteAddressBody): string {
  const value = body[key]
  if (value === undefined)
    throw missingParam(
      `"${key}" is missing: to invite an address, all of id_server, id_access_token, medium and address are needed`,
    )
  return value
}

/**
 * What a client asks for. Throws `M_MISSING_PARAM`, `M_INVALID_PARAM`, `M_THREEPID_MEDIUM_NOT_SUPPORTED`, and
 * `M_SERVER_NOT_TRUSTED` where the operator does not allow the identity server.
 */
export function readAskedAddress(hs: Homeserver, body: InviteAddressBody): AskedAddress {
  const [server, token] = [need(body, 'id_server'), need(body, 'id_access_token')]
  const address = parseThirdPartyAddress(need(body, 'medium'), need(body, 'address'))
  return { login: { server: hs.identity.requireAllowed(server), token }, address }
}

/** The user who publishes this address as theirs, if anybody does. */
export function findByAddress(
  hs: Homeserver,
  { login, address }: AskedAddress,
  signal: AbortSignal,
): Promise<UserId | undefined> {
  return withIdentityServer(login.server, () => lookUpAddress(hs.identity, login, address, signal))
}

/**
 * Invites whoever an address belongs to: as anybody else where they publish it, by a mail of the identity server where
 * not. That the sender may invite is found out first. Throws refusals of the room and of the identity server.
 */
export async function inviteAddress(
  hs: Homeserver,
  {
    roomId,
    sender,
    asked,
  }: { readonly roomId: RoomId; readonly sender: UserId; readonly asked: AskedAddress },
  signal: AbortSignal,
): Promise<void> {
  await requireMayInvite(hs.rooms, roomId, sender)
  const target = await findByAddress(hs, asked, signal)
  if (target === undefined) return sendPendingInvite(hs, { roomId, sender, ...asked }, signal)
  await ensureUserThroughAppservice(hs, target)
  await change(hs, { roomId, action: 'invite', sender, target }, signal)
}
