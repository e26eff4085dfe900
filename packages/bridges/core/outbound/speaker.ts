import type { HubContext } from '../hub-context.ts'
import { MatrixPortError } from '../matrix-port.ts'
import type { Speaker } from '../network.ts'

/** How somebody is called in a room: the display name there, or the localpart. */
export async function displayNameIn(
  hub: Pick<HubContext, 'names' | 'port'>,
  roomId: string,
  userId: string,
): Promise<string> {
  const key = `${roomId} ${userId}`
  const known = hub.names.get(key)
  if (known !== undefined) return known
  const localpart = userId.slice(1).split(':', 1)[0] ?? userId
  const name = await readName(hub, roomId, userId)
  hub.names.set(key, name ?? localpart)
  return name ?? localpart
}

async function readName(
  { port }: Pick<HubContext, 'port'>,
  roomId: string,
  userId: string,
): Promise<string | undefined> {
  try {
    const content = await port.findState(roomId, 'm.room.member', userId)
    const name = content?.['displayname']
    return typeof name === 'string' && name.trim() !== '' ? name : undefined
  } catch (error) {
    // Without the name there is still the localpart; only a homeserver that is away is worth waiting for.
    if (error instanceof MatrixPortError && !error.isTemporary) return undefined
    throw error
  }
}

export async function speakerOf(hub: HubContext, roomId: string, userId: string): Promise<Speaker> {
  const displayName = await displayNameIn(hub, roomId, userId)
  return { userId, displayName, isGhost: hub.ghostIds.isGhost(userId) }
}
