import type { EventId, RoomId } from '@causeway/matrix/ids/ids.ts'
import type { ReceiveDeps } from './deps.ts'
import { parentsFirst } from './parents-first.ts'
import { receiveBatch, type BatchOptions, type Received } from './receive-batch.ts'
import type { VerifiedPdu } from './verify-pdus.ts'

/** Refers to nothing that is missing: a fault of ours keeps it waiting. */
const FAULTED: Received = { outcome: 'waiting', prevs: [], auths: [] }

/**
 * `receiveBatch` for events that are kept already: should it fail, each is placed by itself, so that one event which
 * we cannot cope with holds up itself alone. That one is `waiting`, with nothing that it waits for.
 */
export async function placeEvents(
  { engine, logger }: Pick<ReceiveDeps, 'engine' | 'logger'>,
  roomId: RoomId,
  pdus: readonly VerifiedPdu[],
  options: BatchOptions = {},
): Promise<Map<EventId, Received>> {
  try {
    return await receiveBatch(engine, roomId, pdus, options)
  } catch (error) {
    logger.warn('waiting events of a room could not be placed together', { roomId, error })
  }
  const results = new Map<EventId, Received>()
  for (const pdu of parentsFirst(pdus)) {
    const { eventId } = pdu.event
    try {
      const placed = await receiveBatch(engine, roomId, [pdu], { ...options, among: pdus })
      results.set(eventId, placed.get(eventId) ?? FAULTED)
    } catch (error) {
      logger.warn('an event could not be placed', { roomId, eventId, error })
      results.set(eventId, FAULTED)
    }
  }
  return results
}
