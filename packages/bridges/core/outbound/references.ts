import { fromMatrixMessage } from '../../formatting/from-matrix-html.ts'
import { toPlain } from '../../formatting/to-plain.ts'
import type { HubContext } from '../hub-context.ts'
import type { Link } from '../links/registry.ts'
import type { KnownText } from '../message-book.ts'
import { MatrixPortError } from '../matrix-port.ts'
import type { MatrixEvent } from '../matrix-port.ts'
import type { RemoteReference } from '../network.ts'
import { displayNameIn } from './speaker.ts'

/** The words of a message event, without what it answers. */
export function plainTextOf({ content }: Pick<MatrixEvent, 'content'>): string {
  return toPlain(fromMatrixMessage(content, { isReply: inReplyTo(content) !== undefined }))
}

/** The event that a message answers; a thread's pretended answer is none. */
export function inReplyTo(content: MatrixEvent['content']): string | undefined {
  const relation = content['m.relates_to']
  if (typeof relation !== 'object' || relation === null || Array.isArray(relation)) return undefined
  if (relation['is_falling_back'] === true) return undefined
  const reply = relation['m.in_reply_to']
  if (typeof reply !== 'object' || reply === null || Array.isArray(reply)) return undefined
  const eventId = reply['event_id']
  return typeof eventId === 'string' ? eventId : undefined
}

/** What a message said last, as far as it can be known. */
export async function knownTextOf(
  hub: HubContext,
  roomId: string,
  eventId: string,
): Promise<KnownText | undefined> {
  const known = hub.book.textOf(eventId)
  if (known !== undefined) return known
  try {
    const event = await hub.port.findEvent(roomId, eventId)
    if (event === undefined || typeof event.content !== 'object') return undefined
    const found = { sender: event.sender, text: plainTextOf(event) }
    hub.book.learnText(eventId, found)
    return found
  } catch (error) {
    if (error instanceof MatrixPortError && !error.isTemporary) return undefined
    throw error
  }
}

/** An event as a network knows it; undefined where nothing is known of it. */
export async function referenceTo(
  hub: HubContext,
  link: Link,
  eventId: string,
): Promise<RemoteReference | undefined> {
  const known = await knownTextOf(hub, link.roomId, eventId)
  if (known === undefined) return undefined
  const parts = await hub.book.partsOf(link.portal.nid, eventId)
  const name = await displayNameIn(hub, link.roomId, known.sender)
  // Of a message in several parts the last one is nearest to the eye.
  const id = parts.findLast((part) => part.remoteId !== '')?.remoteId ?? ''
  return { id, userId: known.sender, name, text: known.text }
}
