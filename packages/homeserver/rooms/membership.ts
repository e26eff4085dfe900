import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import type { WriteValue } from '@causeway/store/db/database.ts'
import type { RoomEngine } from './engine.ts'
import type { Companions } from './persist.ts'
import { memberContent, type MemberProfile } from './member-content.ts'
import { appendEvent } from './append-event.ts'
import { numberOf, stateOf, type RoomWrite } from './room-write.ts'
import { chooseAuthorisingUser } from './restricted-join.ts'
import { writeToRoom } from './write-to-room.ts'

export type MembershipAction = 'join' | 'leave' | 'invite' | 'kick' | 'ban' | 'unban' | 'knock'

export interface MembershipInput {
  readonly roomId: RoomId
  readonly action: MembershipAction
  /** Who acts. */
  readonly sender: UserId
  /** Whose membership changes; the sender's own for join, leave and knock. */
  readonly target: UserId
  readonly reason?: string | undefined
  /** The target's profile, for what shows it (join, invite, knock). */
  readonly profile?: MemberProfile
  /** Further keys of the event's content, such as `is_direct`. */
  readonly content?: JsonObject
  /** Whether it was scheduled, and is sent now. */
  readonly isDelayed?: boolean
  /** As of `SendInput`. */
  readonly companions?: (eventId: EventId, eventNid: WriteValue) => Companions
}

const RESULT: Record<MembershipAction, string> = {
  join: 'join',
  leave: 'leave',
  invite: 'invite',
  kick: 'leave',
  ban: 'ban',
  unban: 'leave',
  knock: 'knock',
}

/**
 * Changes a membership by one event. Joining, inviting or leaving where that is so already changes nothing.
 * Resolves with the event that says so, once it is durable. Throws `M_FORBIDDEN` with the reason.
 * https://spec.matrix.org/v1.19/client-server-api/#room-membership
 */
export function changeMembership(engine: RoomEngine, input: MembershipInput): Promise<EventId | undefined> {
  return writeToRoom(engine, input.roomId, async (write) => {
    const current = await stateOf(engine, write, 'm.room.member', input.target)
    const before = current?.stored.content['membership'] as string | undefined
    const settled = settledAlready(input, before)
    if (settled) return { value: current?.stored.eventId }
    requirePossible(input, before)
    const content = await contentFor(engine, write, input, before)
    const event = await appendEvent(engine, write, {
      type: 'm.room.member',
      sender: input.sender,
      stateKey: input.target,
      content,
      isDelayed: input.isDelayed === true,
    })
    const { eventId } = event.roomEvent
    const companions = input.companions?.(eventId, numberOf(write, event))
    return companions === undefined ? { value: eventId } : { value: eventId, companions }
  })
}

/** Asked for what is so already: clients repeat themselves. */
function settledAlready({ action, content }: MembershipInput, before: string | undefined): boolean {
  if (action === 'join') return before === 'join' && content === undefined
  if (action === 'leave') return before === 'leave'
  return action === 'ban' && before === 'ban'
}

/** Refusals that event authorisation would word less well, or allow in another sense (an unban is a leave). */
function requirePossible({ action, target, sender }: MembershipInput, before: string | undefined): void {
  if (action === 'leave' && (before === undefined || before === 'ban'))
    throw forbidden('You are not in this room')
  if (action === 'invite' && target === sender) throw forbidden('You cannot invite yourself')
  if (action === 'kick' && before !== 'join' && before !== 'invite' && before !== 'knock') {
    throw forbidden(`${target} is not in the room`)
  }
  if (action === 'unban' && before !== 'ban') throw forbidden(`${target} is not banned from this room`)
  // Bridges (mautrix) know by these very words that all is as they wanted it.
  if (action === 'invite' && before === 'join') throw forbidden(`${target} is already in the room`)
}

async function contentFor(
  engine: RoomEngine,
  write: RoomWrite,
  input: MembershipInput,
  before: string | undefined,
): Promise<JsonObject> {
  const more: JsonObject = { ...input.content }
  // Who vouches for a join is ours to say, and a join after a join needs nobody.
  delete more['join_authorised_via_users_server']
  if (input.reason !== undefined) more['reason'] = input.reason
  if (input.action === 'join' && before !== 'join' && before !== 'invite') {
    const via = await chooseAuthorisingUser(engine, write, input.sender)
    if (via !== undefined) more['join_authorised_via_users_server'] = via
  }
  return memberContent(RESULT[input.action], input.profile ?? {}, more)
}
