import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { toMatrixMessage } from '../../formatting/to-matrix-html.ts'
import { toPlain } from '../../formatting/to-plain.ts'
import type { HubContext } from '../hub-context.ts'
import type { RemoteEvent } from '../network.ts'
import type { Arrival } from './deliver.ts'
import { sendAsGhost } from './send-as-ghost.ts'

/** An edit on a network that has them. Of what is not known here, nothing can be edited. */
export async function deliverEdit(
  hub: HubContext,
  arrival: Arrival<RemoteEvent & { type: 'edit' }>,
): Promise<readonly Step[]> {
  const { link, event } = arrival
  const target = await hub.book.eventOf(link.portal.nid, event.target)
  if (target === undefined || target.remoteAuthor !== event.author.id) return []
  const message = toMatrixMessage(event.doc)
  const rendered: JsonObject = { msgtype: 'm.text', ...message }
  const content: JsonObject = {
    ...rendered,
    body: `* ${message.body}`,
    'm.new_content': rendered,
    'm.relates_to': { rel_type: 'm.replace', event_id: target.eventId },
  }
  const eventId = await sendAsGhost(hub, arrival, event.author, { type: 'm.room.message', content })
  if (eventId === undefined) return []
  const sender = hub.ghostIds.userIdOf(link.portal.network, link.portal.server, event.author.id) ?? ''
  hub.book.learnText(target.eventId, { sender, text: toPlain(event.doc) })
  return []
}
