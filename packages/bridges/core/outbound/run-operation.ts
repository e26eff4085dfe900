import type { Step } from '@causeway/store/db/database.ts'
import type { OutboxRecord } from '@causeway/store/tables/bridge-outbox.ts'
import { tellRoom } from '../hub-context.ts'
import type { HubContext } from '../hub-context.ts'
import { isPortalKind } from '../lanes.ts'
import type { Link } from '../links/registry.ts'
import { MatrixPortError } from '../matrix-port.ts'
import type { MatrixEvent } from '../matrix-port.ts'
import type { Connection } from '../network.ts'
import type { OperationResult } from './lane-runner.ts'
import { followMember, renderModeration } from './member.ts'
import { renderMessage } from './message.ts'
import { renderReaction } from './reaction.ts'
import { renderRedaction } from './redaction.ts'
import { dropped, refuse, sendParts } from './send-parts.ts'
import type { RemoteIdOf } from './send-parts.ts'
import { speakerOf } from './speaker.ts'

const HOMESERVER_PAUSE_MS = 2_000

interface Rendered {
  readonly parts: readonly string[]
  readonly remoteIdOf?: RemoteIdOf
}

async function render(
  hub: HubContext,
  link: Link,
  { kind, payload }: OutboxRecord,
  connection: Connection,
): Promise<Rendered> {
  const event = JSON.parse(payload) as MatrixEvent
  if (kind === 'message') return { parts: await renderMessage(hub, link, event, connection) }
  if (kind === 'redaction') return { parts: await renderRedaction(hub, link, event, connection) }
  if (kind === 'moderate') return { parts: await renderModeration(hub, event, connection) }
  if (kind === 'topic') {
    const { topic } = event.content
    return { parts: (typeof topic === 'string' ? connection.topics?.render(topic) : undefined) ?? [] }
  }
  const reaction = await renderReaction(hub, link, event, connection)
  return { parts: reaction?.parts ?? [], remoteIdOf: () => reaction?.remoteId ?? '' }
}

/** Speaking for whom: acts on others and on the channel are the bot's. */
function speaksForItself(kind: string): boolean {
  return kind === 'moderate' || kind === 'topic'
}

async function runForPortal(
  hub: HubContext,
  operation: OutboxRecord,
  before: readonly Step[],
): Promise<OperationResult> {
  const link = hub.links.ofPortal(operation.portalNid)
  const network = link === undefined ? undefined : hub.networks.get(link.portal.network)
  if (link?.state !== 'live' || network === undefined) return dropped(operation, before)
  const event = JSON.parse(operation.payload) as MatrixEvent
  if (operation.kind === 'member') {
    await followMember(hub, link, event)
    return dropped(operation, before)
  }
  if (hub.clock.now() - event.origin_server_ts > hub.settings.expiresAfterMs) {
    return refuse(hub, link, operation, 'it is too old by now', before)
  }
  const { kind, roomId } = operation
  const speaker = speaksForItself(kind) ? undefined : await speakerOf(hub, roomId, event.sender)
  const found = await network.connect(link.portal, speaker, link.options)
  if (found.kind === 'retry') {
    return keepForLater(hub, before, found.afterMs)
  }
  if (found.kind === 'refused') return refuse(hub, link, operation, found.reason, before)
  const { connection, note } = found
  if (note !== undefined) await tellNote(hub, operation, note)
  // What was rendered before stays as it was: some of it may have been sent.
  const stored = operation.parts === '' ? undefined : (JSON.parse(operation.parts) as string[])
  const needsRendering = stored === undefined || kind === 'reaction'
  const fresh = needsRendering ? await render(hub, link, operation, connection) : { parts: [] }
  const rendered = stored === undefined ? fresh : { ...fresh, parts: stored }
  if (rendered.parts.length === 0) return dropped(operation, before)
  return sendParts(hub, { link, operation, connection, ...rendered }, before)
}

/** Tells the room something about how its words are carried. Where that is refused, they are carried all the same. */
async function tellNote(
  hub: HubContext,
  { roomId, nid, createdTs }: OutboxRecord,
  note: string,
): Promise<void> {
  try {
    await tellRoom(hub, roomId, note, `note-${nid}-${createdTs}`)
  } catch (error) {
    if (!(error instanceof MatrixPortError) || error.isTemporary) throw error
  }
}

async function keepForLater(
  hub: HubContext,
  before: readonly Step[],
  afterMs: number,
): Promise<OperationResult> {
  if (before.length > 0) await hub.db.commit({ entries: [], steps: before })
  return { kind: 'later', afterMs }
}

/** Works on one operation of any lane. `runTask` does the hub's own tasks; true = over, a number = try again then. */
export function createRunOperation(
  hub: HubContext,
  runTask: (operation: OutboxRecord) => Promise<true | number>,
) {
  return async (operation: OutboxRecord, before: readonly Step[]): Promise<OperationResult> => {
    try {
      if (isPortalKind(operation.kind)) return await runForPortal(hub, operation, before)
      const result = await runTask(operation)
      return result === true ? dropped(operation, before) : await keepForLater(hub, before, result)
    } catch (error) {
      if (error instanceof MatrixPortError && error.isTemporary) {
        return keepForLater(hub, before, error.retryAfterMs ?? HOMESERVER_PAUSE_MS)
      }
      // One that always fails must not hold up its lane for ever.
      const { nid, lane, kind, eventId } = operation
      hub.log.error('an operation of the bridges failed and is dropped', { nid, lane, kind, eventId, error })
      return dropped(operation, before)
    }
  }
}
