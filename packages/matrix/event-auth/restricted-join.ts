import { parseUserId, serverNameOf } from '../ids/user-id.ts'
import { ALLOWED, refuse, type AuthContext, type Verdict } from './auth-state.ts'
import { isJsonObject, ownText, ownValue } from './json-reading.ts'
import { membershipOf } from './membership-of.ts'
import { formatLevel, powerLevelsOf, requiredActionLevel, userLevel } from './power-levels.ts'

const AUTHORISED_VIA = 'join_authorised_via_users_server'

/**
 * Whether an event that names an authorising user bears a signature of that user's server (rule 5.2). Only that one
 * is there is asked here; that it is valid is checked with the event's other signatures on receipt, so whoever verifies
 * events must count this server among those who have to sign.
 */
export function checkAuthorisingSignature(ctx: AuthContext): Verdict {
  const { content, signatures } = ctx.event.pdu
  if (ownValue(content, AUTHORISED_VIA) === undefined) return ALLOWED
  const authoriser = parseUserId(ownText(content, AUTHORISED_VIA) ?? '')
  const serverName = authoriser === undefined ? undefined : serverNameOf(authoriser)
  const isSigned =
    serverName !== undefined &&
    isJsonObject(signatures) &&
    Object.hasOwn(signatures, serverName) &&
    Object.keys(signatures[serverName] ?? {}).some((keyId) => keyId.startsWith('ed25519:'))
  return isSigned ? ALLOWED : refuse('The join is not signed by the server of the member who authorised it.')
}

/**
 * Whether the member named by the join may let people in: joined, with the power to invite (rule 5.3.5.2).
 * https://spec.matrix.org/v1.19/client-server-api/#restricted-rooms
 */
export function authorizeRestrictedJoin(ctx: AuthContext): Verdict {
  const authoriser = ownText(ctx.event.pdu.content, AUTHORISED_VIA)
  if (authoriser === undefined) {
    return refuse('You can only join this room as a member of a room it allows, or by invitation.')
  }
  if (membershipOf(ctx.state, authoriser) !== 'join') {
    return refuse(`${authoriser}, who should authorise the join, is not in the room.`)
  }
  const levels = powerLevelsOf(ctx.rules, ctx.state)
  const required = requiredActionLevel(levels, 'invite')
  const power = userLevel(levels, authoriser)
  if (power >= required) return ALLOWED
  return refuse(
    `${authoriser}, who should authorise the join, needs power level ${formatLevel(required)} to invite and has ${formatLevel(power)}.`,
  )
}
