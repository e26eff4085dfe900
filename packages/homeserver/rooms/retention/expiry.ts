import type { Pdu } from '@causeway/matrix/events/pdu.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { RoomEngine } from '../engine.ts'
import { readNewestState } from '../newest-state.ts'
import type { RoomInfo } from '../stored-event.ts'
import { lifetimeOf, RETENTION_TYPE } from './lifetime.ts'

/** Before every time. */
export const NEVER = Number.NEGATIVE_INFINITY

/**
 * The time before which messages of a room have outlived their time and are shown to nobody; `NEVER` where they live for
 * ever. Without retention in the configuration this costs nothing, with it one look-up.
 */
export async function expiryOf(engine: RoomEngine, room: RoomInfo): Promise<number> {
  const { retention, clock } = engine
  if (retention === undefined) return NEVER
  const [policy] = await readNewestState(engine, room, [{ type: RETENTION_TYPE, stateKey: '' }])
  const lifetime = lifetimeOf(retention, policy?.stored.content)
  return lifetime === undefined ? NEVER : clock.now() - lifetime
}

/** Whether a message has outlived its time. State never does; nor does what does not say when it was sent. */
export function isExpired(
  event: Pick<StoredEvent, 'stateKey'> & Partial<Pick<StoredEvent, 'originServerTs'>>,
  expiry: number,
): boolean {
  return event.stateKey === undefined && (event.originServerTs ?? Number.POSITIVE_INFINITY) < expiry
}

/** The same of an event as servers send it. */
export function isExpiredPdu(pdu: Pick<Pdu, 'state_key' | 'origin_server_ts'>, expiry: number): boolean {
  return pdu.state_key === undefined && pdu.origin_server_ts < expiry
}

/** Those of some events of a room that have not outlived their time. */
export async function withoutExpired<
  E extends Pick<StoredEvent, 'stateKey'> & Partial<Pick<StoredEvent, 'originServerTs'>>,
>(engine: RoomEngine, room: RoomInfo, events: readonly E[]): Promise<readonly E[]> {
  if (engine.retention === undefined || !events.some(({ stateKey }) => stateKey === undefined)) return events
  const expiry = await expiryOf(engine, room)
  return expiry === NEVER ? events : events.filter((event) => !isExpired(event, expiry))
}
