import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { parseServerName } from '@causeway/matrix/ids/server-name.ts'
import type { ThirdPartyInvite } from '../../rooms/join/third-party-invite.ts'
import { findRoom } from '../../rooms/load-head.ts'
import { completeInvitation, type CompleteDeps } from './complete-invitation.ts'
import { tryServers } from './try-servers.ts'

/**
 * Turns an invitation by address into one of a user of ours: in the room where we are in it, through a server that is
 * in it otherwise. Throws the room's refusal.
 */
export async function takeUpInvitation(
  hs: CompleteDeps,
  invite: ThirdPartyInvite,
  signal: AbortSignal,
): Promise<void> {
  const { roomId, sender, target, signed } = invite
  const room = await findRoom(hs.rooms, roomId)
  if (room !== undefined && (await hs.rooms.members.localMembers(room.roomNid)).size > 0) {
    return completeInvitation(hs, invite, signal)
  }
  const body: JsonObject = {
    type: 'm.room.member',
    room_id: roomId,
    sender,
    state_key: target,
    content: { membership: 'invite', third_party_invite: { display_name: '', signed } },
  }
  await tryServers(hs, serversFor(hs.serverName, invite), 'take up this invitation', (server) =>
    hs.federation.client.request(server, {
      method: 'PUT',
      path: `/_matrix/federation/v1/exchange_third_party_invite/${encodeURIComponent(roomId)}`,
      body,
      signal,
    }),
  )
}

function serversFor(own: ServerName, { roomId, sender }: ThirdPartyInvite): ServerName[] {
  const named = roomId.includes(':') ? parseServerName(roomId.slice(roomId.indexOf(':') + 1)) : undefined
  const servers = new Set([serverNameOf(sender), ...(named === undefined ? [] : [named])])
  servers.delete(own)
  return [...servers]
}
