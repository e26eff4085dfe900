import type { Step } from '@causeway/store/db/database.ts'
import type { HubContext } from '../hub-context.ts'
import { MatrixPortError } from '../matrix-port.ts'
import type { RemoteEvent } from '../network.ts'
import type { Arrival } from './deliver.ts'

type Moderation = RemoteEvent & { type: 'kick' | 'ban' | 'unban' }

function userIdOf(hub: HubContext, { link, event }: Arrival<Moderation>): string | undefined {
  const { person } = event
  if ('userId' in person) return person.userId
  return hub.ghostIds.userIdOf(link.portal.network, link.portal.server, person.id)
}

function reasonOf({ link, event }: Arrival<Moderation>): string {
  const verb = { kick: 'Removed', ban: 'Banned', unban: 'Unbanned' }[event.type]
  return `${verb} from ${link.portal.name} by ${event.by}${event.reason === '' ? '' : `: ${event.reason}`}`
}

/**
 * The channel's decision about somebody, in the room: as far as the bot's power there goes. Where it does not go that
 * far, a ghost leaves by itself; of somebody of ours the room is told, and the network keeps them out anyhow.
 */
export async function deliverModeration(
  hub: HubContext,
  arrival: Arrival<Moderation>,
): Promise<readonly Step[]> {
  const { link, event, txnId } = arrival
  const userId = userIdOf(hub, arrival)
  if (userId === undefined) return []
  const reason = reasonOf(arrival)
  const { roomId } = link
  const isGhost = hub.ghostIds.isGhost(userId)
  // Where only those who spoke have ghosts, one that is not there need not be thrown out.
  if (event.type === 'kick' && isGhost && !(await hub.ghosts.members(link.portal.nid)).has(userId)) return []
  try {
    await hub.port.setMembership(undefined, event.type, { roomId, userId, reason })
    if (isGhost) await hub.ghosts.forgetMember(link, userId)
  } catch (error) {
    if (!(error instanceof MatrixPortError) || error.isTemporary) throw error
    if (event.type === 'unban') return []
    if (isGhost) await hub.ghosts.leave(link, userId, reason)
    else {
      const content = {
        msgtype: 'm.notice',
        body: `${userId}: ${reason}`,
        'm.mentions': { user_ids: [userId] },
      }
      await hub.port.send(undefined, { roomId, type: 'm.room.message', content, txnId })
    }
  }
  return []
}
