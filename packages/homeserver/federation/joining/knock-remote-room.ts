import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { completeTemplate } from '../../rooms/join/complete-template.ts'
import { storeOutOfBand } from '../../rooms/join/out-of-band.ts'
import { signBuilt } from '../../rooms/join/signed-event.ts'
import { stripTold } from '../../rooms/join/stripped-room.ts'
import { findRoom } from '../../rooms/load-head.ts'
import type { JoiningDeps } from './joining-deps.ts'
import { requestTemplate, sendMembership } from './resident-requests.ts'
import { tryServers } from './try-servers.ts'

export interface RemoteKnock {
  readonly roomId: RoomId
  readonly userId: UserId
  readonly servers: readonly ServerName[]
  /** Of the membership event: profile, reason. */
  readonly content: JsonObject
}

/**
 * Knocks at a room through a server that is in it, and shows the user what that server tells of the room. Throws the
 * room's refusal, or what became of each server that was asked.
 * https://spec.matrix.org/v1.19/server-server-api/#knocking-upon-a-room
 */
export async function knockRemoteRoom(
  deps: JoiningDeps,
  { roomId, userId, servers, content }: RemoteKnock,
  signal?: AbortSignal,
): Promise<EventId> {
  const { client } = deps.federation
  const known = await findRoom(deps.rooms, roomId)
  const { own, rules, told } = await tryServers(deps, servers, 'knock at this room', async (server) => {
    const template = await requestTemplate(client, server, { roomId, userId, membership: 'knock' }, signal)
    const completed = completeTemplate(template, {
      roomId,
      userId,
      membership: 'knock',
      content,
      now: deps.clock.now(),
      rules: known?.rules,
      newEventId: () => `$${deps.random.token(24)}:${deps.serverName}` as EventId,
    })
    const signed = signBuilt(completed.built, deps.signer)
    const event = signed.event.pdu as unknown as JsonObject
    const eventId = completed.built.eventId
    const answer = await sendMembership(client, server, 'knock', { roomId, eventId, event }, signal)
    return { own: signed, rules: completed.rules, told: answer['knock_room_state'] }
  })
  await storeOutOfBand(deps.rooms, { roomId, rules, pdu: own, stripped: stripTold(told) })
  return own.event.eventId
}
