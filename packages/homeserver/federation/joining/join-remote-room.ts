import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import { parseServerName } from '@causeway/matrix/ids/server-name.ts'
import { acceptEvent } from '../../rooms/join/accept-event.ts'
import {
  AnswerRefused,
  JoinRefused,
  checkRoomAnswer,
  refusalByState,
  type CheckedRoom,
} from '../../rooms/join/check-answer.ts'
import { completeTemplate } from '../../rooms/join/complete-template.ts'
import { installRoom, RoomIsLive } from '../../rooms/join/install-room.ts'
import { readRoom } from '../../rooms/join/read-room.ts'
import { requirePolicy } from '../../rooms/policy/others-events.ts'
import { signBuilt } from '../../rooms/join/signed-event.ts'
import { verifyMany } from '../../rooms/join/verify-answer.ts'
import { findRoom } from '../../rooms/load-head.ts'
import { findEvents, isShown } from '../../rooms/read-events.ts'
import type { VerifiedPdu } from '../../rooms/receive/verify-pdus.ts'
import type { RoomInfo } from '../../rooms/stored-event.ts'
import { countersigned } from './countersigned.ts'
import type { JoiningDeps } from './joining-deps.ts'
import { findMissingAuth } from './missing-auth.ts'
import { requestTemplate, sendJoin, type JoinAnswer } from './resident-requests.ts'
import { tryServers } from './try-servers.ts'

export interface RemoteJoin {
  readonly roomId: RoomId
  readonly userId: UserId
  /** Who may be in the room, the likeliest first. */
  readonly servers: readonly ServerName[]
  /** Of the membership event: profile, reason. */
  readonly content: JsonObject
}

/**
 * Joins a room through servers that are in it: make_join, our event, send_join, and everything they answer checked
 * before any of it is kept. Resolves once the room is durable and can be read and written in; its members may follow
 * (`rooms/join/partial-rooms.ts`). Throws the room's refusal, or `M_UNKNOWN` with what became of each server.
 * https://spec.matrix.org/v1.19/server-server-api/#joining-rooms
 */
export async function joinRemoteRoom(
  deps: JoiningDeps,
  request: RemoteJoin,
  signal?: AbortSignal,
): Promise<EventId> {
  return tryServers(deps, request.servers, 'join this room', (server) =>
    joinThrough(deps, request, server, signal),
  )
}

async function joinThrough(
  deps: JoiningDeps,
  { roomId, userId, content }: RemoteJoin,
  server: ServerName,
  signal: AbortSignal | undefined,
): Promise<EventId> {
  const { client } = deps.federation
  const template = await requestTemplate(client, server, { roomId, userId, membership: 'join' }, signal)
  const known = await findRoom(deps.rooms, roomId)
  const { rules, built } = completeTemplate(template, {
    roomId,
    userId,
    membership: 'join',
    content,
    now: deps.clock.now(),
    rules: known?.rules,
    newEventId: () => `$${deps.random.token(24)}:${deps.serverName}` as EventId,
  })
  const own = signBuilt(built, deps.signer)
  const event = own.event.pdu as unknown as JsonObject
  const answer = await sendJoin(client, server, { roomId, eventId: built.eventId, event }, signal)
  const join = await countersigned(deps, { roomId, rules }, own, answer.event, signal)
  const room = await checkAnswer(deps, { roomId, rules }, join, { ...answer, server }, signal)
  if (known !== undefined && (await goesOn(deps, known, join))) {
    await acceptEvent(deps.rooms, roomId, join, {
      require: async ({ head }) => {
        if (deps.rooms.partial.find(head.roomNid) === undefined) {
          throw new AnswerRefused('the room has just been given up by everybody here; join again')
        }
      },
    })
    return join.event.eventId
  }
  const partial = answer.membersOmitted ? { servers: residentsOf(deps, server, answer) } : undefined
  try {
    await installRoom(deps.rooms, { roomId, rules, join, room, partial })
  } catch (error) {
    if (!(error instanceof RoomIsLive)) throw error
    // Somebody of ours is in it: the join is one more event of a room that we follow.
    const live = await readRoom(deps.rooms, roomId, async ({ head }) => head)
    await acceptEvent(deps.rooms, roomId, await requirePolicy(deps.rooms, live, join, signal))
  }
  return join.event.eventId
}

/**
 * Whether the join follows what we have of a room that was joined fast and left before its members were here: then they
 * are fetched as they would have been, and nothing is laid over what has happened meanwhile.
 */
async function goesOn(
  { rooms }: JoiningDeps,
  { roomNid }: Pick<RoomInfo, 'roomNid'>,
  { event: { prevEventIds } }: VerifiedPdu,
): Promise<boolean> {
  const partial = rooms.partial.find(roomNid)
  if (partial === undefined) return false
  const held = await findEvents(rooms, prevEventIds)
  const isSinceJoin = (id: EventId): boolean => {
    const parent = held.get(id)
    return parent?.roomNid === roomNid && parent.nid >= partial.eventNid && isShown(parent)
  }
  return prevEventIds.length > 0 && prevEventIds.every(isSinceJoin)
}

async function checkAnswer(
  deps: JoiningDeps,
  room: { readonly roomId: RoomId; readonly rules: RoomVersionRules },
  join: VerifiedPdu,
  answer: JoinAnswer & { readonly server: ServerName },
  signal: AbortSignal | undefined,
): Promise<CheckedRoom> {
  const { peers } = deps.federation
  const tools = { peers, clock: deps.clock }
  const state = await verifyMany(tools, room, answer.state, signal)
  const authChain = await verifyMany(tools, room, answer.authChain, signal)
  const given = [...state.pdus, ...authChain.pdus]
  const more = await findMissingAuth(deps, room, join, { given, server: answer.server }, signal)
  const checked = checkRoomAnswer(room, { state: state.pdus, authChain: [...authChain.pdus, ...more] })
  const droppedCount = state.droppedCount + authChain.droppedCount + checked.refused.length
  if (droppedCount > 0) {
    deps.logger.warn('events of a room that we join were dropped', {
      room: room.roomId,
      count: droppedCount,
      reasons: [
        ...state.dropped,
        ...authChain.dropped,
        ...checked.refused.slice(0, 5).map(({ reason }) => reason),
      ],
    })
  }
  const reason = refusalByState(room.rules, join.event, checked, answer.membersOmitted)
  if (reason !== undefined) throw new JoinRefused(`by the state it gives, the join is not allowed: ${reason}`)
  return checked
}

/** Whom to ask for the members, and whom to send events to until they are known. */
function residentsOf(deps: JoiningDeps, server: ServerName, { serversInRoom }: JoinAnswer): ServerName[] {
  const names = serversInRoom.flatMap((name) =>
    typeof name === 'string' ? (parseServerName(name) ?? []) : [],
  )
  const others = new Set([server, ...names])
  others.delete(deps.serverName)
  return [...others]
}
