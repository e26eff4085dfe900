import type { Step } from '@causeway/store/db/database.ts'
import { attemptPart, deleteOperation, rewindOperation } from '@causeway/store/tables/bridge-outbox.ts'
import type { OutboxRecord } from '@causeway/store/tables/bridge-outbox.ts'
import type { HubContext } from '../hub-context.ts'
import type { Link } from '../links/registry.ts'
import type { Connection } from '../network.ts'
import { endInTrouble } from '../trouble.ts'
import type { OperationResult } from './lane-runner.ts'

/** What is recorded of a part that was sent, where the network gave it an id. */
export type RemoteIdOf = (remoteId: string) => string

export interface Sending {
  readonly link: Link
  readonly operation: OutboxRecord
  readonly connection: Connection
  readonly parts: readonly string[]
  readonly remoteIdOf?: RemoteIdOf
}

/** The operation ends without anything (more) to send. */
export function dropped(operation: OutboxRecord, before: readonly Step[]): OperationResult {
  return { kind: 'over', steps: [...before, deleteOperation(operation.nid)] }
}

/** Refuses an operation; its sender will be told. */
export async function refuse(
  hub: HubContext,
  link: Link,
  operation: OutboxRecord,
  reason: string,
  before: readonly Step[],
): Promise<OperationResult> {
  await endInTrouble(hub, link, operation, { kind: 'refused', reason }, before)
  return { kind: 'over', steps: [] }
}

/** That a part is out, under the network's id of it. */
function recordPart(hub: HubContext, sending: Sending, part: number, id: string): Step {
  const { link, operation, remoteIdOf = String } = sending
  const { eventId, roomId } = operation
  const portalNid = link.portal.nid
  return hub.book.record({ eventId, portalNid, part, remoteId: remoteIdOf(id), roomId, remoteAuthor: '' })
}

/**
 * Sends the parts of an operation, in order. That a part is under way is durable before its first byte leaves; one
 * that is found under way at the beginning was interrupted by our end, and is never sent again.
 */
export async function sendParts(
  hub: HubContext,
  sending: Sending,
  before: readonly Step[],
): Promise<OperationResult> {
  const { link, operation, connection, parts } = sending
  const { nid } = operation
  const text = JSON.stringify(parts)
  let carried = before
  const wasUnderWay = operation.state === 'attempting'
  let uncertain: string | undefined
  if (wasUnderWay) {
    const { part } = operation
    const found = connection.findSaid?.(parts[part]!)
    if (found === undefined) uncertain = 'the bridge was interrupted while sending'
    else carried = [...carried, recordPart(hub, sending, part, found)]
  }
  for (let part = operation.part + (wasUnderWay ? 1 : 0); part < parts.length; part++) {
    const attempt = [attemptPart(nid, text, part), ...carried]
    const result = await hub.db.commit({ entries: [], steps: attempt })
    // Redacted meanwhile.
    if (!result.ok) return { kind: 'over', steps: carried }
    carried = []
    const outcome = await connection.send(parts[part]!)
    if (outcome.kind === 'sent') {
      carried = [recordPart(hub, sending, part, outcome.remoteId)]
    } else if (outcome.kind === 'uncertain') uncertain = outcome.reason
    else if (outcome.kind === 'refused') return refuse(hub, link, operation, outcome.reason, carried)
    else {
      await hub.db.commit({ entries: [], steps: [rewindOperation(nid, part), ...carried] })
      return { kind: 'later', afterMs: outcome.afterMs }
    }
  }
  if (uncertain === undefined) return dropped(operation, carried)
  await endInTrouble(hub, link, operation, { kind: 'uncertain', reason: uncertain }, carried)
  return { kind: 'over', steps: [] }
}
