import type { Step } from '@causeway/store/db/database.ts'
import type { HubContext } from '../hub-context.ts'
import type { RemoteEvent } from '../network.ts'
import type { Arrival } from './deliver.ts'
import { sendAsGhost } from './send-as-ghost.ts'

/** Under which a reaction of somebody is remembered, so that it can be taken back. */
function reactionIdOf({ author, target, key }: RemoteEvent & { type: 'reaction' }): string {
  return `reaction of ${JSON.stringify([author.id, target, key])}`
}

/** A reaction, or one taken back. To messages that are not known here, nothing happens. */
export async function deliverReaction(
  hub: HubContext,
  arrival: Arrival<RemoteEvent & { type: 'reaction' }>,
): Promise<readonly Step[]> {
  const { link, event, txnId } = arrival
  const { roomId, portal } = link
  const remoteId = reactionIdOf(event)
  const before = await hub.book.eventOf(portal.nid, remoteId)
  if (event.isRemoval) {
    const userId = hub.ghostIds.userIdOf(portal.network, portal.server, event.author.id)
    if (before !== undefined && userId !== undefined)
      await hub.port.redact(userId, { roomId, eventId: before.eventId, txnId })
    return []
  }
  const target = await hub.book.eventOf(portal.nid, event.target)
  if (target === undefined) return []
  const relation = { rel_type: 'm.annotation', event_id: target.eventId, key: event.key }
  const content = { 'm.relates_to': relation }
  const eventId = await sendAsGhost(hub, arrival, event.author, { type: 'm.reaction', content })
  if (eventId === undefined) return []
  return [
    hub.book.record({
      eventId,
      portalNid: portal.nid,
      part: 0,
      remoteId,
      roomId,
      remoteAuthor: event.author.id,
    }),
  ]
}

/** A message withdrawn on the network: by its ghost where it was somebody's there, else by the bot. */
export async function deliverRedaction(
  hub: HubContext,
  { link, event, txnId }: Arrival<RemoteEvent & { type: 'redaction' }>,
): Promise<readonly Step[]> {
  const { roomId, portal } = link
  const target = await hub.book.eventOf(portal.nid, event.target)
  if (target === undefined) return []
  const { remoteAuthor, eventId } = target
  const as =
    remoteAuthor === '' ? undefined : hub.ghostIds.userIdOf(portal.network, portal.server, remoteAuthor)
  const reason = event.reason === '' ? {} : { reason: event.reason }
  await hub.port.redact(as, { roomId, eventId, txnId, ...reason })
  hub.book.forgetText(eventId)
  return []
}
