import type { HubContext } from '../hub-context.ts'
import type { Link } from '../links/registry.ts'
import type { MatrixEvent } from '../matrix-port.ts'
import type { Connection } from '../network.ts'
import { parseReactionId } from './reaction.ts'

/** The event that a redaction takes back; undefined for other events. */
export function redactedBy(event: MatrixEvent): string | undefined {
  if (event.type !== 'm.room.redaction') return undefined
  const target = event.content['redacts'] ?? event.redacts
  return typeof target === 'string' ? target : undefined
}

/** A redaction as parts: the message withdrawn, or the reaction taken back, where the network can. */
export async function renderRedaction(
  hub: HubContext,
  link: Link,
  event: MatrixEvent,
  connection: Connection,
): Promise<readonly string[]> {
  const targetId = redactedBy(event)
  if (targetId === undefined) return []
  hub.book.forgetText(targetId)
  const parts = await hub.book.partsOf(link.portal.nid, targetId)
  const ids = parts.map((part) => part.remoteId).filter((id) => id !== '')
  const reaction = ids[0] === undefined ? undefined : parseReactionId(ids[0])
  if (reaction !== undefined) {
    const target = { id: reaction.target, userId: '', name: '', text: '' }
    return connection.reactions?.render(target, reaction.key, true) ?? []
  }
  const { reason } = event.content
  return ids.length === 0
    ? []
    : (connection.redactions?.render(ids, typeof reason === 'string' ? reason : '') ?? [])
}
