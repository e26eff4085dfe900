import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId } from '@causeway/matrix/ids/ids.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { badJson, forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import type { RoomEngine } from '../engine.ts'
import { findHeldEvents } from '../held-events.ts'
import { addReceivedEvent, type Parents } from '../receive/add-event.ts'
import { findAuthEvents } from '../receive/auth-lookup.ts'
import { tellMemberChanges } from '../state/advance-room-state.ts'
import type { VerifiedPdu } from '../receive/verify-pdus.ts'
import { numberOf, type RoomWrite } from '../room-write.ts'
import type { SendInput } from '../send.ts'
import { writeToRoom } from '../write-to-room.ts'

export interface AcceptOptions {
  /** Further conditions, asked in the room's queue before anything else. */
  readonly require?: (write: RoomWrite) => Promise<void>
  /** As of an event that is sent; not where the event is part of the room already. */
  readonly companions?: SendInput['companions']
  /** Further bits of `EventFlag`. */
  readonly flags?: number
}

/**
 * Takes an event that somebody made or signed elsewhere into a room we are in, and refuses what a transaction's event
 * would be kept for: nothing is written unless its auth events, the state before it and the room's current state all
 * allow it. An event that is part of the room already is answered as it is.
 * Throws `M_FORBIDDEN`, `M_BAD_JSON` when it refers to events that we do not hold, `CompanionRefused`, and what `require`
 * throws.
 */
export async function acceptEvent(
  engine: RoomEngine,
  roomId: RoomId,
  pdu: VerifiedPdu,
  { require, companions, flags = 0 }: AcceptOptions = {},
): Promise<StoredEvent> {
  return writeToRoom(engine, roomId, async (write) => {
    const held = await findHeldEvents(engine, write.head, [pdu.event.eventId, ...pdu.event.prevEventIds])
    const known = held.get(pdu.event.eventId)
    if (known !== undefined && isInGraph(known)) {
      if ((known.flags & (EventFlag.rejected | EventFlag.softFailed)) === 0) return { value: known }
      throw forbidden('The room has refused this event before; make a new one')
    }
    await require?.(write)
    const parents = parentsOf(pdu.event, held, known)
    const authEvents = await findAuthEvents(engine, write, [pdu.event])
    // The room's other servers learn of it from us.
    const options = { flags: EventFlag.passedOn | flags, keepsRefused: false }
    const acceptance = await addReceivedEvent(engine, write, pdu, parents, authEvents, options)
    if (acceptance.outcome !== 'accepted') throw forbidden(acceptance.reason)
    await tellMemberChanges(engine, write)
    const { stored } = acceptance.event
    const together = companions?.(stored.eventId, numberOf(write, acceptance.event))
    return together === undefined ? { value: stored } : { value: stored, companions: together }
  })
}

function isInGraph({ flags }: StoredEvent): boolean {
  return (flags & EventFlag.outlier) === 0
}

function parentsOf(
  event: RoomEvent,
  held: ReadonlyMap<EventId, StoredEvent>,
  outlier: StoredEvent | undefined,
): Parents {
  const parents = event.prevEventIds.map((id) => held.get(id)).filter((parent) => parent !== undefined)
  const isWhole = parents.length === event.prevEventIds.length && parents.every(isInGraph)
  if (!isWhole || parents.length === 0) {
    throw badJson('The event points at events that this server does not hold; ask for a template first')
  }
  return { held: parents, missing: new Map(), outlier }
}
