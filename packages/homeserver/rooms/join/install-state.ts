import type { EventId } from '@causeway/matrix/ids/ids.ts'
import type { WriteValue } from '@causeway/store/db/database.ts'
import { unpackStateKey } from '@causeway/matrix/event-auth/state-key.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { internKeys } from '@causeway/store/state/keys.ts'
import { applyChanges, listState, type StateItem } from '@causeway/store/state/tree.ts'
import { findHeldEvents, setAuthEdges } from '@causeway/store/tables/held-events.ts'
import { formatAuthNids } from '../auth-nids.ts'
import type { RoomEngine } from '../engine.ts'
import type { VerifiedPdu } from '../receive/verify-pdus.ts'
import { authIdsOf } from '../receive/auth-lookup.ts'
import type { RoomWrite } from '../room-write.ts'
import { toStoredEvent } from '../stored-event.ts'
import type { CheckedRoom } from './check-answer.ts'

/** The numbers of a state event that is held. */
export interface StateNumbers {
  readonly stateNid: number
  /** Of the event itself; of one that this write adds, known only at commit. */
  readonly nid: WriteValue
}

/** Every event of a checked answer by id: those held before, and those that the write adds. */
export type InstalledEvents = ReadonlyMap<EventId, StateNumbers>

/**
 * Adds the events of an answer that are not held yet to a write, as events beside the graph.
 * @param logged those that readers of the log are told of
 * @param earlier events of the answer that are stored already
 */
export async function addOutliers(
  engine: RoomEngine,
  write: RoomWrite,
  ordered: readonly VerifiedPdu[],
  logged: ReadonlySet<EventId>,
  earlier: ReadonlyMap<EventId, Pick<StateNumbers, 'stateNid'>> = new Map(),
): Promise<InstalledEvents> {
  const { head } = write
  const installed = new Map<EventId, StateNumbers>()
  const held = await readHeld(engine, write, ordered)
  const placed = { position: 0, historical: 0 }
  for (const pdu of ordered) {
    const { event } = pdu
    const auth = authIdsOf(head.rules, event).flatMap(
      (id) => (installed.get(id) ?? earlier.get(id))?.stateNid ?? [],
    )
    const known = held.get(event.eventId)
    if (known !== undefined) {
      installed.set(event.eventId, { stateNid: known.state_nid, nid: known.nid })
      // Of an invitation that came alone the auth events were not held.
      if ((known.flags & EventFlag.outlier) !== 0 && known.nid > 0) {
        write.steps.push(setAuthEdges(head.roomNid, known.state_nid, formatAuthNids(auth)))
      }
      continue
    }
    const place = logged.has(event.eventId) ? 'log' : 'history'
    const nid = place === 'log' ? { position: placed.position++ } : { historical: placed.historical++ }
    installed.set(event.eventId, { stateNid: addOutlier(write, pdu, auth, place), nid })
  }
  return installed
}

async function readHeld(engine: RoomEngine, { head }: RoomWrite, ordered: readonly VerifiedPdu[]) {
  if (head.version === 0) return new Map()
  const ids = ordered.map(({ event }) => event.eventId)
  const rows = await findHeldEvents(engine.db, ids)
  return new Map(rows.filter((row) => row.room_nid === head.roomNid).map((row) => [row.event_id, row]))
}

/** Adds one; its number among the room's state events. */
export function addOutlier(
  write: RoomWrite,
  { event, json }: VerifiedPdu,
  auth: readonly number[],
  place: 'log' | 'history',
): number {
  const stateNid = write.next.event
  write.next = { ...write.next, event: stateNid + 1 }
  const stored = toStoredEvent(write.head, event, {
    nid: 0,
    depth: 0,
    stateRoot: 0,
    roomRoot: 0,
    stateBefore: 0,
    stateNid,
    flags: EventFlag.outlier,
  })
  write.events.push({ roomEvent: event, json, stored, auth, replaced: undefined, place })
  return stateNid
}

/**
 * Makes the told state the one at the write's end: as a difference to the tree that is there, so that a room which
 * was known before shares with it what did not change.
 */
export async function setWholeState(
  write: RoomWrite,
  { state }: Pick<CheckedRoom, 'state'>,
  installed: InstalledEvents,
): Promise<void> {
  const { head } = write
  const entries = [...state]
  const names = entries.map(([key]) => {
    const [type, stateKey] = unpackStateKey(key)
    return { type, stateKey }
  })
  let nextKey = write.next.key
  const source = head.version === 0 ? { find: async () => names.map(() => undefined) } : head.keys
  const { keyNids, newKeys } = await internKeys(source, head.roomNid, names, () => nextKey++)
  head.keys.add(newKeys)
  for (const key of newKeys) write.newKeys.push(key)
  const wanted = new Map(
    entries.map(([, pdu], index) => [keyNids[index]!, installed.get(pdu.event.eventId)!.stateNid]),
  )
  const gone = (await itemsOf(write)).filter(([keyNid]) => !wanted.has(keyNid))
  let nextNode = write.next.node
  const changes = [...wanted, ...gone.map(([keyNid]) => [keyNid, undefined] as const)]
  const changed = await applyChanges(head.nodes, head.roomNid, write.stateRoot, changes, () => nextNode++)
  head.nodes.add(changed.newNodes)
  for (const node of changed.newNodes) write.newNodes.push(node)
  write.stateRoot = changed.root
  write.next = { ...write.next, key: nextKey, node: nextNode }
}

async function itemsOf({ head, stateRoot }: RoomWrite): Promise<StateItem[]> {
  const items: StateItem[] = []
  for await (const portion of listState(head.nodes, head.roomNid, stateRoot)) {
    for (const item of portion) items.push(item)
  }
  return items
}
