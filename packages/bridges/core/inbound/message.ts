import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { toMatrixMessage } from '../../formatting/to-matrix-html.ts'
import { toPlain } from '../../formatting/to-plain.ts'
import type { HubContext } from '../hub-context.ts'
import type { RemoteEvent } from '../network.ts'
import type { Arrival } from './deliver.ts'
import { sendAsGhost } from './send-as-ghost.ts'

const MSGTYPE = { text: 'm.text', action: 'm.emote', notice: 'm.notice' } as const

/** A message of the network, in the room. */
export async function deliverMessage(
  hub: HubContext,
  arrival: Arrival<RemoteEvent & { type: 'message' }>,
): Promise<readonly Step[]> {
  const { link, event, heardTs } = arrival
  // Told again, or one of ours: the hub was away while its words stood in the channel.
  if (event.isHistory === true && event.id !== undefined) {
    if ((await hub.book.eventOf(link.portal.nid, event.id)) !== undefined) return []
  }
  const rendered = toMatrixMessage(event.doc)
  // Formatting codes around nothing.
  if (rendered.body.trim() === '') return []
  const target =
    event.replyTo === undefined ? undefined : await hub.book.eventOf(link.portal.nid, event.replyTo)
  const content: JsonObject = { msgtype: MSGTYPE[event.kind], ...rendered }
  if (target !== undefined) content['m.relates_to'] = { 'm.in_reply_to': { event_id: target.eventId } }
  const ts = event.time ?? heardTs
  const eventId = await sendAsGhost(hub, arrival, event.author, { type: 'm.room.message', content, ts })
  if (eventId === undefined) return []
  const userId = hub.ghostIds.userIdOf(link.portal.network, link.portal.server, event.author.id) ?? ''
  hub.book.learnText(eventId, { sender: userId, text: toPlain(event.doc) })
  const { roomId, portal } = link
  const remote = { remoteId: event.id ?? '', remoteAuthor: event.author.id }
  return [hub.book.record({ eventId, portalNid: portal.nid, part: 0, roomId, ...remote })]
}
