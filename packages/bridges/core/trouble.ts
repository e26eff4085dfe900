import type { Step } from '@causeway/store/db/database.ts'
import {
  deleteWaitingUpTo,
  endOperation,
  findWaiting,
  insertOperation,
} from '@causeway/store/tables/bridge-outbox.ts'
import type { OutboxRecord } from '@causeway/store/tables/bridge-outbox.ts'
import { commitSteps, tellRoom } from './hub-context.ts'
import type { HubContext } from './hub-context.ts'
import { troubleLane } from './lanes.ts'
import type { Link } from './links/registry.ts'
import { MatrixPortError } from './matrix-port.ts'

/** Why an operation ended otherwise than wished. */
export interface Trouble {
  readonly kind: 'uncertain' | 'refused'
  readonly reason: string
}

/** What people have to be told, as it waits in the lane of a portal's troubles. */
interface Told extends Trouble {
  readonly channel: string
}

/**
 * Ends an operation that did not get through. That its people have to be told is stored in the same commit, so that
 * they are told whatever becomes of this process. `before`: steps that belong to the same moment.
 */
export async function endInTrouble(
  hub: HubContext,
  link: Link,
  operation: OutboxRecord,
  trouble: Trouble,
  before: readonly Step[],
): Promise<void> {
  const { nid, roomId, eventId } = operation
  const { kind, reason } = trouble
  const lane = troubleLane(link.portal.nid, kind)
  const told: Told = { kind, reason, channel: link.portal.name }
  hub.log.warn('a message did not get through', { portalNid: link.portal.nid, kind, reason, eventId })
  await commitSteps(hub, [
    ...before,
    endOperation(nid, kind, reason),
    insertOperation({
      ...{ nid: hub.numbers.outbox(), lane, portalNid: 0, roomId, eventId, kind: 'trouble' },
      ...{ payload: JSON.stringify(told), createdTs: hub.clock.now() },
    }),
  ])
  hub.wake(lane)
}

function sentence({ channel }: Told, { kind, reason }: Trouble, count: number): string {
  const fate = kind === 'uncertain' ? 'may not have reached' : 'did not reach'
  const what = count === 1 ? 'This message' : `${count} messages, this being the first,`
  return `⚠ ${what} ${fate} ${channel}: ${reason}.`
}

/**
 * Tells people that messages did not get through: once for all that fail together, not once for each. True = told;
 * else milliseconds until more of them have had the time to fail.
 */
export async function tellTrouble(
  hub: HubContext,
  { lane, createdTs }: OutboxRecord,
): Promise<true | number> {
  const ageMs = hub.clock.now() - createdTs
  // A clock that was set back must not make them wait for it.
  if (ageMs >= 0 && ageMs < hub.settings.gatherTroubleMs) return hub.settings.gatherTroubleMs - ageMs
  const waiting = await findWaiting(hub.db, lane)
  if (waiting === undefined) return true
  const { first, last, count } = waiting
  const [told, latest] = [JSON.parse(first.payload) as Told, JSON.parse(last.payload) as Told]
  try {
    // Both ends: if we are killed before this is noted and more fails meanwhile, those are told as well.
    const txnId = `trouble-${first.nid}-${last.nid}-${first.createdTs}`
    await tellRoom(hub, first.roomId, sentence(told, latest, count), txnId, first.eventId)
  } catch (error) {
    if (!(error instanceof MatrixPortError) || error.isTemporary) throw error
    const { roomId } = first
    hub.log.warn('people could not be told of a message that did not get through', { roomId, error })
  }
  await commitSteps(hub, [deleteWaitingUpTo(lane, last.nid)])
  return true
}
