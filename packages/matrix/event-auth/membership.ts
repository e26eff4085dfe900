import { ALLOWED, refuse, type AuthContext, type Verdict } from './auth-state.ts'
import { roomCreator } from './creators.ts'
import { ownText, ownValue } from './json-reading.ts'
import { membershipOf } from './membership-of.ts'
import {
  formatLevel,
  powerLevelsOf,
  requiredActionLevel,
  userLevel,
  type PowerLevels,
} from './power-levels.ts'
import { authorizeRestrictedJoin, checkAuthorisingSignature } from './restricted-join.ts'
import { authorizeThirdPartyInvite } from './third-party-invite.ts'

export type Membership = 'join' | 'invite' | 'leave' | 'ban' | 'knock'

type Transition = (ctx: AuthContext, target: string) => Verdict

const TRANSITIONS: ReadonlyMap<string, Transition> = new Map([
  ['join', authorizeJoin],
  ['invite', authorizeInvite],
  ['leave', authorizeLeave],
  ['ban', authorizeBan],
  ['knock', authorizeKnock],
])

/**
 * Rules for `m.room.member`, numbered 5 in https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules
 * (4 in versions 6 to 11). Numbers in the comments are those of version 12.
 */
export function authorizeMembership(ctx: AuthContext): Verdict {
  // 5.1
  const { state_key: target, content } = ctx.event.pdu
  const membership = ownText(content, 'membership')
  if (target === undefined) return refuse('A membership event must have a state key.')
  if (membership === undefined) return refuse('A membership event must say the membership.')
  // 5.2
  if (ctx.rules.restrictedJoins) {
    const signed = checkAuthorisingSignature(ctx)
    if (!signed.ok) return signed
  }
  // 5.3 to 5.8
  const transition = TRANSITIONS.get(membership)
  if (transition === undefined || (membership === 'knock' && !ctx.rules.knocking)) {
    return refuse(`The membership "${membership}" is not known in this room version.`)
  }
  return transition(ctx, target)
}

/** 5.3 */
function authorizeJoin(ctx: AuthContext, target: string): Verdict {
  const { pdu, prevEventIds } = ctx.event
  const isFirstEvent = prevEventIds.length === 1 && prevEventIds[0] === ctx.create.eventId
  if (isFirstEvent && target === roomCreator(ctx.rules, ctx.create)) return ALLOWED
  if (pdu.sender !== target) return refuse('You cannot join a room for somebody else.')
  const current = membershipOf(ctx.state, target)
  if (current === 'ban') return refuse('You are banned from this room.')
  const mayStay = current === 'join' || current === 'invite'
  switch (joinRuleOf(ctx)) {
    case 'public':
      return ALLOWED
    case 'invite':
    case 'knock':
      return mayStay ? ALLOWED : refuse('You need an invitation to join this room.')
    case 'restricted':
    case 'knock_restricted':
      return mayStay ? ALLOWED : authorizeRestrictedJoin(ctx)
    default:
      return refuse('The join rule of this room lets nobody join.')
  }
}

/** 5.4 */
function authorizeInvite(ctx: AuthContext, target: string): Verdict {
  const { sender, content } = ctx.event.pdu
  const current = membershipOf(ctx.state, target)
  if (ownValue(content, 'third_party_invite') !== undefined) {
    if (current === 'ban') return refuse(`${target} is banned from this room.`)
    return authorizeThirdPartyInvite(ctx, target)
  }
  if (membershipOf(ctx.state, sender) !== 'join') return refuse('You must be in the room to invite people.')
  if (current === 'join') return refuse(`${target} is already in the room.`)
  if (current === 'ban') return refuse(`${target} is banned from this room.`)
  return requirePower(powerLevelsOf(ctx.rules, ctx.state), sender, 'invite', 'invite people')
}

/** 5.5: leaving, declining an invite or taking back a knock; kicking; unbanning. */
function authorizeLeave(ctx: AuthContext, target: string): Verdict {
  const { sender } = ctx.event.pdu
  const current = membershipOf(ctx.state, target)
  if (sender === target) {
    const mayLeave = current === 'join' || current === 'invite' || (current === 'knock' && ctx.rules.knocking)
    if (mayLeave) return ALLOWED
    return refuse(current === 'ban' ? 'You are banned from this room.' : 'You are not in this room.')
  }
  if (membershipOf(ctx.state, sender) !== 'join') return refuse('You must be in the room to remove people.')
  const levels = powerLevelsOf(ctx.rules, ctx.state)
  if (current === 'ban') {
    const unban = requirePower(levels, sender, 'ban', 'lift bans')
    if (!unban.ok) return unban
  }
  const kick = requirePower(levels, sender, 'kick', 'remove people')
  return kick.ok ? requireMorePower(levels, sender, target, 'remove') : kick
}

/** 5.6 */
function authorizeBan(ctx: AuthContext, target: string): Verdict {
  const { sender } = ctx.event.pdu
  if (membershipOf(ctx.state, sender) !== 'join') return refuse('You must be in the room to ban people.')
  const levels = powerLevelsOf(ctx.rules, ctx.state)
  const ban = requirePower(levels, sender, 'ban', 'ban people')
  return ban.ok ? requireMorePower(levels, sender, target, 'ban') : ban
}

/** 5.7 */
function authorizeKnock(ctx: AuthContext, target: string): Verdict {
  const joinRule = joinRuleOf(ctx)
  if (joinRule !== 'knock' && joinRule !== 'knock_restricted') {
    return refuse('This room does not accept requests to join.')
  }
  if (ctx.event.pdu.sender !== target) return refuse('You cannot ask to join for somebody else.')
  switch (membershipOf(ctx.state, target)) {
    case 'ban':
      return refuse('You are banned from this room.')
    case 'invite':
      return refuse('You are already invited to this room.')
    case 'join':
      return refuse('You are already in this room.')
    default:
      return ALLOWED
  }
}

/** The join rule, as far as the room version knows it; `invite` when the room has none. */
function joinRuleOf(ctx: AuthContext): string | undefined {
  const event = ctx.state.get('m.room.join_rules', '')
  const rule = event === undefined ? 'invite' : ownText(event.pdu.content, 'join_rule')
  if (rule === 'knock' && !ctx.rules.knocking) return undefined
  if (rule === 'restricted' && !ctx.rules.restrictedJoins) return undefined
  if (rule === 'knock_restricted' && !ctx.rules.knockRestricted) return undefined
  return rule
}

function requirePower(
  levels: PowerLevels,
  sender: string,
  action: 'invite' | 'kick' | 'ban',
  description: string,
): Verdict {
  const required = requiredActionLevel(levels, action)
  const power = userLevel(levels, sender)
  if (power >= required) return ALLOWED
  return refuse(
    `You need power level ${formatLevel(required)} to ${description}; you have ${formatLevel(power)}.`,
  )
}

function requireMorePower(levels: PowerLevels, sender: string, target: string, verb: string): Verdict {
  const power = userLevel(levels, sender)
  const targetPower = userLevel(levels, target)
  if (targetPower < power) return ALLOWED
  return refuse(
    `You cannot ${verb} ${target}: their power level is ${formatLevel(targetPower)} and yours is ${formatLevel(power)}.`,
  )
}
