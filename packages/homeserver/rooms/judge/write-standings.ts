import type { Step } from '@causeway/store/db/database.ts'
import { redactSteps } from '@causeway/store/erasure/statements.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { noteRejection } from '@causeway/store/tables/events.ts'
import { acceptAfterAll } from '../join/accept-after-all.ts'
import type { AcceptedAfterAll } from '../join/rejudge.ts'
import { findEvents } from '../read-events.ts'
import { lasting } from '../room-write.ts'
import { toStoredEvent } from '../stored-event.ts'
import { isRejected, overlay, type Judging, type Standing } from './judging.ts'

/**
 * Puts what was found into the write: what is accepted now comes into the log, at its place in the graph; of everything
 * else the row changes. What syncs were told at the time (`room_root`) stays, so that they tell what is different now.
 * Resolves with the number of events at which the state is another one.
 * @param roomRoot root of the room's state from now on
 */
export async function writeStandings(work: Judging, roomRoot: number): Promise<number> {
  let moved = 0
  const accepted: AcceptedAfterAll[] = []
  for (const standing of work.changed.values()) {
    const { event, before, root, flags } = standing
    if (before !== event.stateBefore || root !== event.stateRoot) moved++
    if (isRejected(event) && (flags & (EventFlag.rejected | EventFlag.softFailed)) === 0) {
      accepted.push(await acceptedOf(work, standing, roomRoot))
    } else {
      work.write.steps.push(...rowSteps(work, standing))
      overlay(work, { ...standing, flags: storedFlags(standing) }, event.roomRoot)
    }
  }
  const { engine, write } = work
  await acceptAfterAll(engine, write, accepted)
  // What is told of members names the very events that get their numbers.
  for (const { roomEvent, stored } of write.events) {
    if (stored.stateNid !== 0)
      write.head.entries.set(stored.stateNid, { roomEvent: lasting(roomEvent), stored })
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

/** As it is accepted after all: its number is the old one until it has another. */
async function acceptedOf(
  { engine, write, stretch }: Judging,
  { event, roomEvent, row, before, root, flags, auth }: Standing,
  roomRoot: number,
): Promise<AcceptedAfterAll> {
  const place = {
    ...event,
    stateBefore: before,
    stateRoot: root,
    roomRoot,
    flags: flags | EventFlag.branched,
  }
  const stored = toStoredEvent(write.head, roomEvent, place)
  const older = event.prevs.filter((id) => !stretch.has(id))
  const held = await findEvents(engine, older)
  const missing = older.filter((id) => ((held.get(id)?.flags ?? EventFlag.outlier) & EventFlag.outlier) !== 0)
  return { row, roomEvent, stored, auth, missing }
}
