import type { FormatVerdict } from '@causeway/matrix/events/check-format.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import {
  checkReceived,
  verifyChecked,
  type EventVerifier,
  type PduVerdict,
  type RoomOfEvents,
  type VerifiedPdu,
} from '../receive/verify-pdus.ts'

/** Events that are worked on before others get their turn: about 5 ms, while signatures are checked elsewhere. */
const PORTION = 50
/** Portions whose signatures are being checked, so that nobody is idle. */
const AHEAD = 2

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
  { peers, clock }: { readonly peers: EventVerifier; readonly clock: Pick<Clock, 'defer'> },
  room: RoomOfEvents,
  events: readonly unknown[],
  signal?: AbortSignal,
): Promise<VerifiedList> {
  const rest = async (): Promise<void> => {
    await new Promise<void>((resolve) => clock.defer(resolve))
    signal?.throwIfAborted()
  }
  const checked: FormatVerdict[] = []
  for (let at = 0; at < events.length; at += PORTION) {
    for (const event of events.slice(at, at + PORTION)) checked.push(checkReceived(room, event))
    await rest()
  }
  const sound = checked.flatMap((verdict) => (verdict.ok ? [verdict.pdu] : []))
  const findKey = await peers.loadKeys(room.rules, sound, signal)
  const list = new Collected()
  const underWay: Promise<PduVerdict[]>[] = []
  for (let at = 0; at < checked.length; at += PORTION) {
    const work = verifyChecked(peers, room, checked.slice(at, at + PORTION), findKey)
    // Should this be given up before it is awaited, nobody hears of its failure.
    work.catch(() => undefined)
    underWay.push(work)
    await rest()
    if (underWay.length > AHEAD) list.add(await underWay.shift()!)
  }
  for (const verdicts of await Promise.all(underWay)) list.add(verdicts)
  return list
}

class Collected implements VerifiedList {
  readonly pdus: VerifiedPdu[] = []
  readonly dropped: string[] = []
  droppedCount = 0

  add(verdicts: readonly PduVerdict[]): void {
    for (const verdict of verdicts) {
      if (verdict.ok) this.pdus.push(verdict.pdu)
      else if (++this.droppedCount <= SHOWN_REASONS) this.dropped.push(verdict.reason)
    }
  }
}
