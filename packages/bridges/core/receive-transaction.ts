import type { Step } from '@causeway/store/db/database.ts'
import { hasTransaction, insertTransaction } from '@causeway/store/tables/bridge-inbox.ts'
import { findCrossed } from '@causeway/store/tables/bridge-messages.ts'
import { deleteUnsent, insertOperation } from '@causeway/store/tables/bridge-outbox.ts'
import type { HubContext } from './hub-context.ts'
import type { MatrixEvent } from './matrix-port.ts'
import { planEvent } from './outbound/plan-event.ts'
import type { Planned } from './outbound/plan-event.ts'
import { redactedBy } from './outbound/redaction.ts'

function isMatrixEvent(value: unknown): value is MatrixEvent {
  if (typeof value !== 'object' || value === null) return false
  const { type, event_id, room_id, sender, content } = value as Partial<Record<keyof MatrixEvent, unknown>>
  const isNamed = [type, event_id, room_id, sender].every((one) => typeof one === 'string' && one !== '')
  return isNamed && typeof content === 'object' && content !== null && !Array.isArray(content)
}

/** Display names travel with membership events: learned as they pass. */
function learnName({ names }: HubContext, event: MatrixEvent): void {
  if (event.type !== 'm.room.member' || event.state_key === undefined) return
  const name = event.content['membership'] === 'join' ? event.content['displayname'] : undefined
  if (typeof name === 'string' && name !== '') names.set(`${event.room_id} ${event.state_key}`, name)
  else names.delete(`${event.room_id} ${event.state_key}`)
}

function stepsFor(hub: HubContext, event: MatrixEvent, planned: Planned): Step {
  const { lane, portalNid, kind } = planned
  const payload = JSON.stringify(event)
  const { event_id: eventId, room_id: roomId } = event
  const [nid, createdTs] = [hub.numbers.outbox(), hub.clock.now()]
  return insertOperation({ nid, lane, portalNid, roomId, eventId, kind, payload, createdTs })
}

/**
 * Takes a transaction of the homeserver: everything its events give rise to is stored in one commit with the
 * transaction's id, before it is acknowledged; a repeated one has no effect. Call it for one transaction after another.
 * https://spec.matrix.org/v1.19/application-service-api/#pushing-events
 */
export async function receiveTransaction(
  hub: HubContext,
  txnId: string,
  received: readonly unknown[],
): Promise<void> {
  if (await hasTransaction(hub.db, txnId)) return
  const events = received.filter(isMatrixEvent)
  const plans = events.map((event) => {
    learnName(hub, event)
    const links = hub.links.inRoom(event.room_id)
    const { botUserId } = hub.port
    const networkNames = [...hub.networks.keys()]
    return { event, planned: planEvent(event, { links, botUserId, ghostIds: hub.ghostIds, networkNames }) }
  })
  const concerned = plans.filter(({ planned }) => planned.length > 0)
  const crossed =
    concerned.length === 0
      ? new Set<string>()
      : await findCrossed(
          hub.db,
          concerned.map(({ event }) => event.event_id),
        )
  const steps: Step[] = [insertTransaction(txnId, hub.clock.now())]
  const lanes = new Set<string>()
  for (const { event, planned } of concerned) {
    const target = redactedBy(event)
    // What was not sent yet is not sent at all.
    if (target !== undefined) steps.push(deleteUnsent(target))
    for (const one of planned) {
      if (crossed.has(`${one.portalNid} ${event.event_id}`)) continue
      steps.push(stepsFor(hub, event, one))
      lanes.add(one.lane)
    }
  }
  const result = await hub.db.commit({ entries: [], steps })
  if (!result.ok && result.step !== 0) throw new Error(`a transaction could not be stored (${result.reason})`)
  for (const lane of lanes) hub.wake(lane)
}
