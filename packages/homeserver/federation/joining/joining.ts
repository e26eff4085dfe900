import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { KeyedQueue } from '@causeway/store/cache/keyed-queue.ts'
import { createKeyedQueue } from '@causeway/store/cache/keyed-queue.ts'
import type { RoomPeers } from '../../rooms/peers/room-peers.ts'
import { createCompletion, type Completion } from './complete-rooms.ts'
import { inviteRemoteUser, sendInvite, type RemoteInvite } from './invite-remote-user.ts'
import { createJoinsUnderWay } from './joins-under-way.ts'
import { joinRemoteRoom, type RemoteJoin } from './join-remote-room.ts'
import type { JoiningDeps } from './joining-deps.ts'
import { knockRemoteRoom, type RemoteKnock } from './knock-remote-room.ts'
import { leaveRemoteRoom, type RemoteLeave } from './leave-remote-room.ts'
import { takeUpInvitation } from './take-up-invitation.ts'
import type { ThirdPartyInvite } from '../../rooms/join/third-party-invite.ts'
import type { BuiltEvent } from '@causeway/matrix/events/build.ts'

/** Rooms of other servers: into them and out of them. Every call may take as long as other servers do. */
export interface Joining extends AsyncDisposable {
  readonly peers: RoomPeers
  /** Rooms that were joined fast, whose members are fetched in the background. */
  readonly completion: Completion
  /** One at a time for a room: `work` finds what the one before it did. */
  serial<T>(roomId: RoomId, work: () => Promise<T>): Promise<T>
  join(request: RemoteJoin, signal?: AbortSignal): Promise<EventId>
  /** Resolves when no join of a room is under way, or after so many milliseconds; undefined: none is. */
  joined(roomId: RoomId, withinMs: number): Promise<void> | undefined
  leave(request: RemoteLeave, signal?: AbortSignal): Promise<EventId>
  knock(request: RemoteKnock, signal?: AbortSignal): Promise<EventId>
  invite(request: RemoteInvite, signal?: AbortSignal): Promise<EventId>
  /** Makes an invitation by address one of the user whose it is. Throws the room's refusal. */
  takeUpInvitation(invite: ThirdPartyInvite, signal: AbortSignal): Promise<void>
  /** Sends an invite that was made otherwise (of a third party) to the invited user's server and into the room. */
  sendInvite(roomId: RoomId, built: BuiltEvent, signal?: AbortSignal): Promise<EventId>
}

type Deps = JoiningDeps & Omit<Parameters<typeof takeUpInvitation>[0], 'joining'>

export function createJoining(deps: Deps): Joining {
  const queue: KeyedQueue<RoomId> = createKeyedQueue()
  const completion = createCompletion(deps)
  const underWay = createJoinsUnderWay(deps.clock)
  const joining: Joining = {
    peers: deps.federation.peers,
    completion,
    serial: (roomId, work) => queue.serial(roomId, work),
    join: async (request, signal) => {
      const eventId = await underWay.during(request.roomId, () => joinRemoteRoom(deps, request, signal))
      completion.wake(request.roomId)
      return eventId
    },
    joined: (roomId, withinMs) => underWay.ended(roomId, withinMs),
    leave: (request, signal) => leaveRemoteRoom(deps, request, signal),
    knock: (request, signal) => knockRemoteRoom(deps, request, signal),
    invite: (request, signal) => inviteRemoteUser(deps, request, signal),
    takeUpInvitation: (invite, signal) => takeUpInvitation({ ...deps, joining }, invite, signal),
    sendInvite: (roomId, built, signal) => sendInvite(deps, roomId, built, signal),
    [Symbol.asyncDispose]: () => completion[Symbol.asyncDispose](),
  }
  return joining
}

/** Who of ours may be invited by others; throws with the reason for who may not. */
export type RequireInvitable = (userId: UserId, inviter: UserId) => Promise<void>
