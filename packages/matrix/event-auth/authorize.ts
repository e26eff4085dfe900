import type { RoomEvent, VerifySignature } from '../events/pdu.ts'
import { eventIdServerName } from '../ids/event-id.ts'
import { createEventIdOf } from '../ids/room-id.ts'
import { serverNameOf } from '../ids/user-id.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'
import { ALLOWED, refuse, type AuthContext, type AuthState, type Verdict } from './auth-state.ts'
import { authorizeCreate } from './create-event.ts'
import { describeSending } from './describe.ts'
import { ownValue } from './json-reading.ts'
import { authorizeMembership } from './membership.ts'
import { membershipOf } from './membership-of.ts'
import { authorizePowerLevels } from './power-level-change.ts'
import { formatLevel, powerLevelsOf, requiredActionLevel, requiredLevel, userLevel } from './power-levels.ts'
import { findStateKeyFault, parseStateOwner } from './state-owner.ts'

/**
 * Whether an event is allowed in a room at a state: the room version's authorisation rules without the check of the
 * event's own list of auth events, which is `checkAuthEventsSelection`. Asks the state for no more than
 * `selectAuthEvents` names, besides the create event. O(1), but for power-level events, which cost their entries.
 *
 * `verifySignature` is asked about third-party invites only. Signatures of the event itself have been verified before.
 * Numbers are those of https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules; older versions lack some.
 */
export function authorizeEvent(
  rules: RoomVersionRules,
  event: RoomEvent,
  state: AuthState,
  verifySignature: VerifySignature,
): Verdict {
  // 1.
  if (event.pdu.type === 'm.room.create') return authorizeCreate(rules, event)
  // 2.
  const create = state.get('m.room.create', '')
  if (create === undefined) return refuse('The room has no create event.')
  if (rules.roomIdIsCreateHash && createEventIdOf(event.roomId) !== create.eventId) {
    return refuse('The event belongs to another room.')
  }
  // 3. is checkAuthEventsSelection.
  const ctx: AuthContext = { rules, event, state, create, verifySignature }
  for (const rule of RULES) {
    const verdict = rule(ctx)
    if (verdict !== undefined) return verdict
  }
  return ALLOWED
}

/** One of the numbered rules: a verdict, or undefined to go on with the next. */
type Rule = (ctx: AuthContext) => Verdict | undefined

const RULES: readonly Rule[] = [
  refuseForeignServers, // 4.
  decideAliases, // 4. of versions 1 to 5
  decideMembership, // 5.
  refuseStrangers, // 6.
  decideThirdPartyInvite, // 7.
  refuseWeak, // 8.
  refuseForeignStateKey, // 9.
  decidePowerLevels, // 10.
  decideRedaction, // 11. of versions 1 and 2
]

function refuseForeignServers({ create, event }: AuthContext): Verdict | undefined {
  if (ownValue(create.pdu.content, 'm.federate') !== false) return undefined
  const home = serverNameOf(create.pdu.sender)
  if (serverNameOf(event.pdu.sender) === home) return undefined
  return refuse(`This room is only for users of ${home}.`)
}

function decideAliases({ rules, event }: AuthContext): Verdict | undefined {
  const { type, state_key: stateKey, sender } = event.pdu
  if (!rules.aliasesSpecial || type !== 'm.room.aliases') return undefined
  if (stateKey === undefined) return refuse('Room aliases must be a state event.')
  return stateKey === serverNameOf(sender)
    ? ALLOWED
    : refuse('You can only set the aliases of your own server.')
}

function decideMembership(ctx: AuthContext): Verdict | undefined {
  return ctx.event.pdu.type === 'm.room.member' ? authorizeMembership(ctx) : undefined
}

function refuseStrangers({ event, state }: AuthContext): Verdict | undefined {
  return membershipOf(state, event.pdu.sender) === 'join' ? undefined : refuse('You are not in this room.')
}

function decideThirdPartyInvite({ rules, event, state }: AuthContext): Verdict | undefined {
  if (event.pdu.type !== 'm.room.third_party_invite') return undefined
  const levels = powerLevelsOf(rules, state)
  const power = userLevel(levels, event.pdu.sender)
  return needPower(power, requiredActionLevel(levels, 'invite'), 'invite people') ?? ALLOWED
}

function refuseWeak({ rules, event, state }: AuthContext): Verdict | undefined {
  const { type, sender, state_key: stateKey } = event.pdu
  const levels = powerLevelsOf(rules, state)
  const required = requiredLevel(levels, type, stateKey !== undefined)
  return needPower(userLevel(levels, sender), required, describeSending(type))
}

function refuseForeignStateKey({ rules, event, state }: AuthContext): Verdict | undefined {
  const { sender, state_key: stateKey } = event.pdu
  if (stateKey === undefined || !stateKey.startsWith('@') || stateKey === sender) return undefined
  if (!rules.ownedState) return refuse('State under a user ID can only be set by that user.')
  const fault = findStateKeyFault(rules, stateKey)
  if (fault !== undefined) return refuse(fault)
  const owner = parseStateOwner(stateKey)!
  if (owner === sender) return undefined
  const levels = powerLevelsOf(rules, state)
  if (userLevel(levels, sender) > userLevel(levels, owner)) return undefined
  return refuse(
    'State under a user ID can only be set by that user, and by who has more power than they have.',
  )
}

function decidePowerLevels(ctx: AuthContext): Verdict | undefined {
  return ctx.event.pdu.type === 'm.room.power_levels' ? authorizePowerLevels(ctx) : undefined
}

/** Before room version 3 the server of the event id says whose message a redaction removes. */
function decideRedaction({ rules, event, state }: AuthContext): Verdict | undefined {
  const { type, sender, redacts } = event.pdu
  if (!rules.redactionAuthorizedByDomain || type !== 'm.room.redaction') return undefined
  const levels = powerLevelsOf(rules, state)
  const verdict = needPower(
    userLevel(levels, sender),
    requiredActionLevel(levels, 'redact'),
    'remove messages of others',
  )
  if (verdict === undefined) return ALLOWED
  const serverName = typeof redacts === 'string' ? eventIdServerName(redacts) : undefined
  const isOwn = serverName !== undefined && serverName === eventIdServerName(event.eventId)
  return isOwn ? ALLOWED : verdict
}

function needPower(power: number, required: number, action: string): Verdict | undefined {
  if (power >= required) return undefined
  return refuse(`You need power level ${formatLevel(required)} to ${action}; you have ${formatLevel(power)}.`)
}
