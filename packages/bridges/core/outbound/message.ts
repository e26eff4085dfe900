import { editAsCorrection } from '../../formatting/correction.ts'
import { fromMatrixMessage } from '../../formatting/from-matrix-html.ts'
import { toPlain } from '../../formatting/to-plain.ts'
import { docFromText } from '../../formatting/tree.ts'
import type { Doc } from '../../formatting/tree.ts'
import type { HubContext } from '../hub-context.ts'
import type { Link } from '../links/registry.ts'
import type { MatrixEvent } from '../matrix-port.ts'
import type { Connection, OutgoingMessage, Paste } from '../network.ts'
import { fileAsText, fileKindOf } from './files.ts'
import { inReplyTo, knownTextOf, referenceTo } from './references.ts'

type Content = MatrixEvent['content']

function isObject(value: unknown): value is Content {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The event that a message replaces. https://spec.matrix.org/v1.19/client-server-api/#event-replacements */
export function replacedBy({ content }: Pick<MatrixEvent, 'content'>): string | undefined {
  const relation = content['m.relates_to']
  if (!isObject(relation) || relation['rel_type'] !== 'm.replace') return undefined
  return typeof relation['event_id'] === 'string' ? relation['event_id'] : undefined
}

function kindOf(content: Content): OutgoingMessage['kind'] {
  if (content['msgtype'] === 'm.emote') return 'action'
  return content['msgtype'] === 'm.notice' ? 'notice' : 'text'
}

/** Text of what has no `body` of its own: the question of a poll. */
function pollText(content: Content): Doc {
  const poll = content['m.poll'] ?? content['org.matrix.msc3381.poll.start']
  const question = isObject(poll) && isObject(poll['question']) ? poll['question'] : {}
  const text = question['body'] ?? question['org.matrix.msc1767.text']
  return docFromText(typeof text === 'string' ? `Poll: ${text}` : '')
}

async function docOf(hub: HubContext, event: MatrixEvent): Promise<Doc> {
  const { content } = event
  if (event.type.endsWith('poll.start')) return pollText(content)
  const file = fileKindOf(content, event.type)
  if (file !== undefined) return fileAsText(hub, content, file)
  return fromMatrixMessage(content, { isReply: inReplyTo(content) !== undefined })
}

/** Puts the time before a message that comes much later than it was said. */
function withTime(doc: Doc, saidTs: number): Doc {
  const said = `${new Date(saidTs).toISOString().slice(0, 16).replace('T', ' ')} UTC`
  const note = { type: 'text', text: `[sent ${said}] ` } as const
  const [first, ...rest] = doc.blocks
  if (first?.type !== 'paragraph') return { blocks: [{ type: 'paragraph', children: [note] }, ...doc.blocks] }
  return { blocks: [{ ...first, children: [note, ...first.children] }, ...rest] }
}

async function renderNew(
  hub: HubContext,
  link: Link,
  event: MatrixEvent,
  connection: Connection,
  paste: Paste,
): Promise<readonly string[]> {
  const doc = await docOf(hub, event)
  hub.book.learnText(event.event_id, { sender: event.sender, text: toPlain(doc) })
  const isLate = hub.clock.now() - event.origin_server_ts > hub.settings.lateAfterMs
  const repliedId = inReplyTo(event.content)
  const replyTo = repliedId === undefined ? undefined : await referenceTo(hub, link, repliedId)
  const message: OutgoingMessage = {
    kind: kindOf(event.content),
    doc: isLate ? withTime(doc, event.origin_server_ts) : doc,
    ...(replyTo === undefined ? {} : { replyTo }),
  }
  return connection.render(message, paste)
}

async function renderEdit(
  hub: HubContext,
  link: Link,
  event: MatrixEvent,
  targetId: string,
  connection: Connection,
  paste: Paste,
): Promise<readonly string[]> {
  const content = event.content['m.new_content']
  const before = await knownTextOf(hub, link.roomId, targetId)
  // Only its author may replace a message; others' events merely claim to.
  if (!isObject(content) || (before !== undefined && before.sender !== event.sender)) return []
  const doc = fromMatrixMessage(content, { isReply: false })
  const text = toPlain(doc)
  hub.book.learnText(targetId, { sender: event.sender, text })
  const message: OutgoingMessage = { kind: kindOf(content), doc }
  if (connection.edits !== undefined) {
    const target = await referenceTo(hub, link, targetId)
    if (target !== undefined && target.id !== '') return connection.edits.render(target, message)
  }
  const correction = before === undefined ? `* ${text}` : editAsCorrection(before.text, text)
  if (correction === undefined || correction === '* ') return []
  return connection.render(
    { kind: message.kind === 'action' ? 'text' : message.kind, doc: docFromText(correction) },
    paste,
  )
}

/** A message, or an edit of one, as parts for a connection; none where there is nothing to say. */
export function renderMessage(
  hub: HubContext,
  link: Link,
  event: MatrixEvent,
  connection: Connection,
): Promise<readonly string[]> {
  const paste: Paste = async (text) => {
    const mxc = await hub.port.upload(Buffer.from(text), 'text/plain; charset=utf-8', 'message.txt')
    return hub.port.publicMediaUrl(mxc, hub.settings.mediaLinkMs)
  }
  const targetId = replacedBy(event)
  if (targetId === undefined) return renderNew(hub, link, event, connection, paste)
  return renderEdit(hub, link, event, targetId, connection, paste)
}
