import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { HubContext } from '../hub-context.ts'
import { MatrixPortError } from '../matrix-port.ts'
import type { RemotePerson } from '../network.ts'
import { isReplaced } from '../links/follow-room.ts'
import type { Link } from '../links/registry.ts'
import { ORIGIN_KEY, originOf } from '../outbound/plan-event.ts'
import type { Arrival } from './deliver.ts'

/**
 * Sends an event as somebody's ghost, which is made and brought into the room where needed. Undefined where the person
 * cannot have one. Somebody who was removed from the room comes back by speaking, as in the channel; who was banned
 * does not.
 */
export async function sendAsGhost(
  hub: HubContext,
  arrival: Arrival,
  person: RemotePerson,
  what: { type: string; content: JsonObject; ts?: number },
): Promise<string | undefined> {
  const { link, txnId } = arrival
  const userId = await hub.ghosts.ensureInRoom(link, person)
  if (userId === undefined) return undefined
  const content = { ...what.content, [ORIGIN_KEY]: originOf(link) }
  const event = { roomId: link.roomId, type: what.type, content, txnId }
  const timed = what.ts === undefined ? event : { ...event, ts: what.ts }
  try {
    return await hub.port.send(userId, timed)
  } catch (error) {
    if (!(error instanceof MatrixPortError && error.status === 403)) throw error
    await requireRoom(hub, link)
    await hub.ghosts.forgetMember(link, userId)
    await hub.ghosts.join(link, userId)
    return hub.port.send(userId, timed)
  }
}

/** Nothing is lost that came while a room was being replaced: it is brought into the new one. */
async function requireRoom(hub: HubContext, link: Link): Promise<void> {
  const current = hub.links.ofPortal(link.portal.nid)
  const isElsewhere = current !== undefined && current.roomId !== link.roomId
  if (isElsewhere || (current?.state === 'live' && (await isReplaced(hub, link))))
    throw new MatrixPortError(503, 'M_UNKNOWN', `the room ${link.roomId} is being replaced`)
}
