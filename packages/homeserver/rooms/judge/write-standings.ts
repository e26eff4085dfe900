import type { Step } from '@causeway/store/db/database.ts'
import { redactSteps } from '@causeway/store/erasure/statements.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { noteRejection } from '@causeway/store/tables/events.ts'
import { addReceivedRedaction } from '../apply-redaction.ts'
import { readerOf, readStateAt } from '../current-state.ts'
import { lasting, type NewEvent } from '../room-write.ts'
import { storedEventOfRow, toStoredEvent } from '../stored-event.ts'
import { isRejected, overlay, type Judging, type Standing } from './judging.ts'

/**
 * Puts what was found into the write: what is accepted now comes into the log, at its place in the graph; of everything
 * else the row changes. What syncs were told at the time (`room_root`) stays, so that they tell what is different now.
 * Resolves with the number of events at which the state is another one.
 * @param roomRoot root of the room's state from now on
 */
export async function writeStandings(work: Judging, roomRoot: number): Promise<number> {
  let moved = 0
  for (const standing of work.changed.values()) {
    const { event, before, root, flags } = standing
    if (before !== event.stateBefore || root !== event.stateRoot) moved++
    if (isRejected(event) && (flags & (EventFlag.rejected | EventFlag.softFailed)) === 0) {
      await addToLog(work, standing, roomRoot)
    } else {
      work.write.steps.push(...rowSteps(work, standing))
      overlay(work, { ...standing, flags: storedFlags(standing) }, event.roomRoot)
    }
  }
  return moved
}

/** The state before it is not what the room's current state was then. */
function storedFlags({ event, flags }: Standing): number {
  return event.nid > 0 ? flags | EventFlag.branched : flags
}

function rowSteps({ write }: Judging, standing: Standing): Step[] {
  const { event, before, root, reason } = standing
  const { roomNid } = write.head
  const roomRoot = event.roomRoot === root ? 0 : event.roomRoot
  const steps: Step[] = [
    {
      sql: 'UPDATE events SET state_root = ?, state_before = ?, room_root = ?, flags = ? WHERE nid = ?',
      params: [root, before, roomRoot, storedFlags(standing), event.nid],
    },
  ]
  if (reason !== undefined) {
    steps.push(
      { sql: 'DELETE FROM event_rejections WHERE event_nid = ?', params: [event.nid] },
      noteRejection(roomNid, event.nid, reason),
    )
  }
  // What it said by itself (relations, mentions) is said no more.
  if (isRejected(standing) && !isRejected(event)) steps.push(...redactSteps({ roomNid, nid: event.nid }))
  return steps
}

async function addToLog(work: Judging, standing: Standing, roomRoot: number): Promise<void> {
  const { engine, write } = work
  const { head } = write
  const { event, roomEvent, row, before, root, flags, auth } = standing
  const place = { ...event, nid: 0, stateBefore: before, stateRoot: root, roomRoot }
  const stored = toStoredEvent(head, roomEvent, { ...place, flags: flags | EventFlag.branched })
  const { type, state_key: stateKey } = roomEvent.pdu
  const replaced =
    stateKey === undefined
      ? undefined
      : await readStateAt(readerOf(engine, head), head, before, type, stateKey)
  const told: NewEvent = {
    roomEvent,
    json: typeof row.json === 'string' ? Buffer.from(row.json) : row.json,
    stored,
    auth,
    replaced,
    place: 'log',
    outlier: storedEventOfRow(head, row),
  }
  if (event.stateNid !== 0) {
    head.entries.set(event.stateNid, { roomEvent: lasting(roomEvent), stored })
    work.overlaid.add(event.stateNid)
  }
  write.events.push(told)
  head.pending.set(stored.eventId, stored)
  if (type === 'm.room.redaction') await addReceivedRedaction(engine, write, told)
}
