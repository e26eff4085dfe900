import type { Step } from '@causeway/store/db/database.ts'
import type { HubContext } from '../hub-context.ts'
import { MatrixPortError } from '../matrix-port.ts'
import type { RemoteEvent } from '../network.ts'
import type { Arrival } from './deliver.ts'

/** The channel's topic, where somebody of us may set the room's: the one who did, or the bot. */
export async function deliverTopic(
  hub: HubContext,
  { link, event }: Arrival<RemoteEvent & { type: 'topic' }>,
): Promise<readonly Step[]> {
  const { roomId, portal } = link
  const current = await hub.port.findState(roomId, 'm.room.topic', '')
  if ((current?.['topic'] ?? '') === event.topic) return []
  const userId = event.by && hub.ghostIds.userIdOf(portal.network, portal.server, event.by.id)
  const isThere = userId !== undefined && (await hub.ghosts.members(portal.nid)).has(userId)
  for (const as of isThere ? [userId, undefined] : [undefined]) {
    try {
      const content = { topic: event.topic }
      await hub.port.setState(as, { roomId, type: 'm.room.topic', stateKey: '', content })
      return []
    } catch (error) {
      if (!(error instanceof MatrixPortError && error.status === 403)) throw error
    }
  }
  return []
}
