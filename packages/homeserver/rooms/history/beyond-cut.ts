import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { findHistoryCut } from '@causeway/store/tables/history-cuts.ts'
import type { RoomEngine } from '../engine.ts'
import type { VerifiedPdu } from '../receive/verify-pdus.ts'
import { expiryOf, isExpiredPdu } from '../retention/expiry.ts'
import type { RoomInfo } from '../stored-event.ts'
import type { GraphDepth } from './place-batch.ts'

/** What of a fetched batch must not come back. */
export interface BeyondCut {
  /** Events where history was cut off, or has outlived its time: before them nothing is looked for any more. */
  readonly events: ReadonlySet<EventId>
  /** Messages that have outlived their time and stand among others that have not: they are taken without content. */
  readonly expired: ReadonlySet<EventId>
}

/**
 * Of a batch, given the newest first, the oldest events from where on all of them stand where the room's history was cut
 * off, or were sent before the time that its messages live. One that claims to be older than what is before it cuts
 * nothing off: clocks differ, and anybody may claim any time.
 */
export async function findBeyondCut(
  engine: RoomEngine,
  room: RoomInfo,
  pdus: readonly VerifiedPdu[],
  places: ReadonlyMap<EventId, GraphDepth>,
): Promise<BeyondCut> {
  const [cut = Number.NEGATIVE_INFINITY, expiry] = await Promise.all([
    findHistoryCut(engine.db, room.roomNid),
    expiryOf(engine, room),
  ])
  const isBeyond = ({ event }: VerifiedPdu): boolean =>
    places.get(event.eventId)!.depth <= cut || event.pdu.origin_server_ts < expiry
  const end = pdus.findLastIndex((pdu) => !isBeyond(pdu)) + 1
  const expired = pdus.slice(0, end).filter(({ event }) => isExpiredPdu(event.pdu, expiry))
  const idsOf = (some: readonly VerifiedPdu[]): ReadonlySet<EventId> =>
    new Set(some.map(({ event }) => event.eventId))
  return { events: idsOf(pdus.slice(end)), expired: idsOf(expired) }
}
