import type { EventId } from '@causeway/matrix/ids/ids.ts'
import type { RoomEngine } from '../engine.ts'
import { findHead } from '../load-head.ts'
import { persistEvents, writeAlone, type PendingWrite } from '../persist.ts'
import { abandonWrite, beginWrite, type RoomWrite } from '../room-write.ts'
import type { VerifiedPdu } from '../receive/verify-pdus.ts'
import type { CheckedRoom } from './check-answer.ts'
import { addOutliers, type InstalledEvents } from './install-state.ts'
import type { PartialRoom } from './partial-rooms.ts'

/** Events that are stored by now, with their numbers. */
export type HeldEvents = ReadonlyMap<EventId, { readonly stateNid: number; readonly nid: number }>

/** Events that are stored in one write: the room's own writes wait for no more than that. */
const PORTION = 500
const NONE_LOGGED: ReadonlySet<EventId> = new Set()

/**
 * Holds the events of a checked state, portion by portion, so that others may write into the room between, and so that
 * what is held need not be fetched again after a restart. Resolves with undefined when the room is not partial any
 * more. @param onStored is told how many are held
 */
export async function storeTold(
  engine: RoomEngine,
  partial: PartialRoom,
  { ordered }: CheckedRoom,
  onStored: (count: number) => void,
): Promise<HeldEvents | undefined> {
  const held = new Map<EventId, { stateNid: number; nid: number }>()
  for (let at = 0; at < ordered.length; at += PORTION) {
    const portion = ordered.slice(at, at + PORTION)
    const stored = await writeAlone(engine, partial.roomId, () => build(engine, partial, portion, held))
    if (stored === undefined) return undefined
    const { installed, write, pending } = stored
    const result = await pending?.settled
    if (result?.ok === false)
      throw new Error(`events of ${partial.roomId} could not be stored: ${result.step}`)
    const made = new Map(write.events.map((event) => [event.stored.eventId, event.stored.nid]))
    for (const [eventId, { stateNid, nid }] of installed) {
      held.set(eventId, { stateNid, nid: made.get(eventId) ?? (nid as number) })
    }
    onStored(held.size)
  }
  return held
}

interface Portion {
  readonly installed: InstalledEvents
  readonly write: RoomWrite
  readonly pending: PendingWrite | undefined
}

async function build(
  engine: RoomEngine,
  partial: PartialRoom,
  portion: readonly VerifiedPdu[],
  held: HeldEvents,
): Promise<Portion | undefined> {
  const head = await findHead(engine, partial.roomId)
  if (head === undefined || engine.partial.find(partial.roomNid)?.eventId !== partial.eventId)
    return undefined
  const write = beginWrite(head)
  try {
    const installed = await addOutliers(engine, write, portion, NONE_LOGGED, held)
    const isNew = write.events.length + write.steps.length > 0
    return { installed, write, pending: isNew ? persistEvents(engine, write) : undefined }
  } catch (error) {
    abandonWrite(write)
    throw error
  }
}
