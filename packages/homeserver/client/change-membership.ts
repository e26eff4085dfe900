import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { letsGuestsIn } from '../guests/guest-access.ts'
import type { Homeserver } from '../homeserver.ts'
import { guestsForbidden } from '../http/account-standing.ts'
import { comesIn, requireUnblocked } from '../moderation/blocked-rooms.ts'
import { readMemberProfiles } from '../profile/member-profile.ts'
import { memberContent } from '../rooms/member-content.ts'
import { changeMembership, type MembershipAction } from '../rooms/membership.ts'
import { requireRejectable } from '../server-notices/require-rejectable.ts'
import { carryOver } from '../user-data/carry-over.ts'
import { serversOf, standingOf } from './room-servers.ts'
import { requireInviteWanted } from '../rooms/invite-permissions.ts'

/** A change of membership that a user asks for, in a room that we may or may not be in. */
export interface Change {
  readonly roomId: RoomId
  readonly action: MembershipAction
  readonly sender: UserId
  readonly target: UserId
  readonly reason?: string | undefined
  /** Further keys of the event's content. */
  readonly content?: JsonObject
  /** Whether the sender is a guest, who enters only rooms that let guests in. */
  readonly isGuest?: boolean
  /** Of a join: what an identity server signed for whom an address was invited, with who invited it. */
  readonly signed?: JsonObject & { readonly sender: UserId }
  /** Servers that may be in the room, by the client's or an alias' word. */
  readonly via?: readonly string[]
}

/**
 * Does what a user asks, here or through servers that are in the room. Takes as long as they do. Throws `M_FORBIDDEN`
 * with the reason, and what became of the servers that were asked.
 */
export async function change(hs: Homeserver, input: Change, signal?: AbortSignal): Promise<void> {
  if (comesIn(input.action)) await requireUnblocked(hs, input.roomId)
  switch (input.action) {
    case 'join':
      return joinAndSettle(hs, input, signal)
    case 'knock':
      return knock(hs, input, signal)
    case 'leave':
      return leave(hs, input, signal)
    case 'invite':
      return invite(hs, input, signal)
    default:
      return changeHere(hs, input)
  }
}

async function changeHere(hs: Homeserver, input: Change): Promise<void> {
  const profile = SHOWS_PROFILE.has(input.action)
    ? (await readMemberProfiles(hs, [input.target]))(input.target)
    : {}
  const { roomId, action, sender, target, reason, content } = input
  const asked = { roomId, action, sender, target, reason, profile }
  await changeMembership(hs.rooms, content === undefined ? asked : { ...asked, content })
}

const SHOWS_PROFILE: ReadonlySet<string> = new Set(['join', 'invite', 'knock'])

/** Refusals by which another server in the room may do what ours cannot. */
const ELSEWHERE: ReadonlySet<string> = new Set(['M_UNABLE_TO_AUTHORISE_JOIN', 'M_UNABLE_TO_GRANT_JOIN'])

/** So many servers are told what they have not got yet before the first of them is asked, and for so long. */
const TOLD_BEFORE = 3
const TOLD_WITHIN_MS = 1_000

const NEVER = new AbortController().signal

/** Joins; who comes into a room that replaces one they know finds it as they had the other. */
async function joinAndSettle(hs: Homeserver, input: Change, signal?: AbortSignal): Promise<void> {
  const { roomId, sender, signed } = input
  const before = (await hs.rooms.members.roomsOf(sender)).byId.get(roomId)?.membership
  // Whoever brings the signature is invited by it first, so that it has to hold.
  if (signed !== undefined && before !== 'join') {
    const { sender: inviter } = signed
    await hs.joining.takeUpInvitation({ roomId, sender: inviter, target: sender, signed }, signal ?? NEVER)
  }
  if (input.isGuest === true) return joinAsGuest(hs, input)
  // Two of ours who come at the same time: the second finds the room that the first brought.
  await hs.joining.serial(roomId, () => join(hs, input, signal))
  if (before !== 'join') await carryOver(hs, [sender], roomId)
}

/** Into rooms that we are in alone: of others it is not known whether they let guests in. */
async function joinAsGuest(hs: Homeserver, input: Change): Promise<void> {
  const { room, isHere } = await standingOf(hs, input.roomId)
  const refused = guestsForbidden('This room does not let guests in; make an account')
  if (room === undefined || !isHere || !(await letsGuestsIn(hs.rooms, room))) throw refused
  await changeHere(hs, input)
  // It may have closed its doors meanwhile, before this one was among the guests.
  if (await letsGuestsIn(hs.rooms, room)) return
  await changeHere(hs, { roomId: input.roomId, action: 'leave', sender: input.sender, target: input.sender })
  throw refused
}

async function join(hs: Homeserver, input: Change, signal?: AbortSignal): Promise<void> {
  const { roomId, sender } = input
  const { isHere } = await standingOf(hs, roomId)
  const refusal = isHere ? await joinHere(hs, input) : undefined
  if (isHere && refusal === undefined) return
  const servers = await serversOf(hs, roomId, sender, input.via ?? [])
  if (servers.length === 0) {
    if (refusal !== undefined) throw refusal
    return changeHere(hs, input)
  }
  // What we told them may decide it: that the user has come into another room, or has left this one.
  await hs.outbound.caughtUp(servers.slice(0, TOLD_BEFORE), TOLD_WITHIN_MS)
  // And what came from them meanwhile may let us do it.
  if (isHere && (await joinHere(hs, input)) === undefined) return
  await hs.joining.join({ roomId, userId: sender, servers, content: await contentFor(hs, input) }, signal)
}

/** Resolves with the refusal where another server may be able to do what ours cannot. */
async function joinHere(hs: Homeserver, input: Change): Promise<MatrixError | undefined> {
  try {
    await changeHere(hs, input)
    return undefined
  } catch (error) {
    if (error instanceof MatrixError && ELSEWHERE.has(error.errcode)) return error
    throw error
  }
}

async function knock(hs: Homeserver, input: Change, signal?: AbortSignal): Promise<void> {
  const { roomId, sender } = input
  const { isHere } = await standingOf(hs, roomId)
  const servers = await serversOf(hs, roomId, sender, input.via ?? [])
  if (isHere || servers.length === 0) return changeHere(hs, input)
  await hs.joining.knock({ roomId, userId: sender, servers, content: await contentFor(hs, input) }, signal)
}

async function leave(hs: Homeserver, input: Change, signal?: AbortSignal): Promise<void> {
  const { roomId, sender } = input
  await requireRejectable(hs, sender, roomId)
  const { room, isHere } = await standingOf(hs, roomId)
  if (isHere || room === undefined) return changeHere(hs, input)
  const membership = (await hs.rooms.members.roomsOf(sender)).byId.get(roomId)?.membership
  if (membership === 'leave') return
  const servers = await serversOf(hs, roomId, sender, [])
  await hs.joining.leave({ roomId, userId: sender, servers, content: reasonOf(input) }, signal)
}

async function invite(hs: Homeserver, input: Change, signal?: AbortSignal): Promise<void> {
  const { roomId, sender, target } = input
  if (serverNameOf(target) === hs.serverName) {
    await requireInviteWanted(hs.rooms, sender, target)
    return changeHere(hs, input)
  }
  const profile = (await readMemberProfiles(hs, [target]))(target)
  const content = memberContent('invite', profile, { ...input.content, ...reasonOf(input) })
  await hs.joining.invite({ roomId, sender, target, content }, signal)
}

function reasonOf({ reason }: Change): JsonObject {
  return reason === undefined ? {} : { reason }
}

async function contentFor(hs: Homeserver, input: Change): Promise<JsonObject> {
  const profile = (await readMemberProfiles(hs, [input.sender]))(input.sender)
  return memberContent(input.action, profile, { ...input.content, ...reasonOf(input) })
}
