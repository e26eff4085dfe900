import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import { checkFormat } from '@causeway/matrix/events/check-format.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { RoomPeers } from '../peers/room-peers.ts'
import { verifyPdus, type VerifiedPdu } from '../receive/verify-pdus.ts'

/** Events that are verified before others get their turn: about 15 ms. */
const PORTION = 100

export interface VerifiedList {
  readonly pdus: VerifiedPdu[]
  /** Why events were dropped, the first few. */
  readonly dropped: string[]
  readonly droppedCount: number
}

const SHOWN_REASONS = 5

/**
 * Verifies the many events of a room's state: all keys are asked for at once, and the work is done in portions, so
 * that nobody waits for a large room. Events that are malformed or not properly signed are dropped.
 */
export async function verifyMany(
  { peers, clock }: { readonly peers: Pick<RoomPeers, 'loadKeys'>; readonly clock: Pick<Clock, 'defer'> },
  room: { readonly roomId: RoomId; readonly rules: RoomVersionRules },
  events: readonly unknown[],
  signal?: AbortSignal,
): Promise<VerifiedList> {
  const sound = events.flatMap((event) => {
    const verdict = checkFormat(room.rules, event)
    return verdict.ok ? [verdict.pdu] : []
  })
  const findKey = await peers.loadKeys(room.rules, sound, signal)
  const loaded = { loadKeys: async () => findKey }
  const pdus: VerifiedPdu[] = []
  const dropped: string[] = []
  let droppedCount = 0
  for (let at = 0; at < events.length; at += PORTION) {
    for (const verdict of await verifyPdus(loaded, room, events.slice(at, at + PORTION), signal)) {
      if (verdict.ok) pdus.push(verdict.pdu)
      else if (++droppedCount <= SHOWN_REASONS) dropped.push(verdict.reason)
    }
    await new Promise<void>((resolve) => clock.defer(resolve))
    signal?.throwIfAborted()
  }
  return { pdus, dropped, droppedCount }
}
