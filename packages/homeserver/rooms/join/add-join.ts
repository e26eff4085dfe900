import { referenceHash } from '@causeway/matrix/events/reference-hash.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { sha256 } from '../../crypto/sha256.ts'
import { timelineFlags } from '../flags.ts'
import type { VerifiedPdu } from '../receive/verify-pdus.ts'
import { changeRoot, holdState, internKey, lasting, type NewEvent, type RoomWrite } from '../room-write.ts'
import { toStoredEvent } from '../stored-event.ts'

/** Adds our join after the state that was told of a room, as the only end of the graph, with a gap before it. */
export async function addJoin(
  write: RoomWrite,
  { event, json }: VerifiedPdu,
  { auth }: { readonly auth: readonly number[] },
): Promise<NewEvent> {
  const stateBefore = write.stateRoot
  const stateNid = write.next.event
  write.next = { ...write.next, event: stateNid + 1 }
  const keyNid = await internKey(write, event.pdu.type, event.pdu.state_key!)
  write.stateRoot = await changeRoot(write, stateBefore, [[keyNid, stateNid]])
  const depth = Math.min(event.pdu.depth, Number.MAX_SAFE_INTEGER)
  const stored = toStoredEvent(write.head, event, {
    nid: 0,
    depth,
    stateRoot: write.stateRoot,
    roomRoot: write.stateRoot,
    stateBefore,
    stateNid,
    flags: timelineFlags(event.pdu) | EventFlag.gapBefore | EventFlag.handedOver,
  })
  holdState(write, { roomEvent: lasting(event), stored })
  const { rules } = write.head
  const hash = rules.referencePairs ? { hash: referenceHash(rules, event.pdu, sha256) } : {}
  write.extremities = [{ eventId: event.eventId, depth, root: write.stateRoot, ...hash }]
  const added: NewEvent = { roomEvent: event, json, stored, auth, replaced: undefined, place: 'log' }
  write.events.push(added)
  return added
}
