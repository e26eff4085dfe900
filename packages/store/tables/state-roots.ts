import type { Database, Row, Statement, Step } from '../db/database.ts'
import { noteRejection } from './events.ts'

/** Where an event stands in the states of its room. */
export interface StateRootsRow extends Row {
  nid: number
  event_id: string
  flags: number
  state_root: number
  state_before: number
}

/** Of a room's events from a position on, in order, and of those of it that were refused at any time. */
export function listStateRoots(db: Database, roomNid: number, from: number): Promise<StateRootsRow[]> {
  return db.queryLarge<StateRootsRow>(
    `SELECT nid, event_id, flags, state_root, state_before FROM events
     WHERE room_nid = ? AND (nid >= ? OR (nid < 0 AND (flags & 6) <> 0)) AND state_root <> 0 ORDER BY nid`,
    [roomNid, from],
  )
}

/** An event's states, and what was decided of it. */
export interface Judged {
  readonly root: number
  readonly before: number
  /** 0: the same as `root`. */
  readonly roomRoot: number
  readonly flags: number
}

/** The event's state is named by other trees now, and it may be decided otherwise. */
export function setJudged(nid: number, { root, before, roomRoot, flags }: Judged): Statement {
  return {
    sql: 'UPDATE events SET state_root = ?, state_before = ?, room_root = ?, flags = ? WHERE nid = ?',
    params: [root, before, roomRoot, flags, nid],
  }
}

/** An event that was refused before is so for another reason. */
export function replaceRejection(roomNid: number, nid: number, reason: string): Step[] {
  return [
    { sql: 'DELETE FROM event_rejections WHERE event_nid = ?', params: [nid] },
    noteRejection(roomNid, nid, reason),
  ]
}

/** An event that was shown is refused: what it said of other events and to users does not hold any more. */
export function takeBack(roomNid: number, nid: number, reason: string): Step[] {
  return [
    { sql: 'DELETE FROM relations WHERE event_nid = ?', params: [nid] },
    { sql: 'DELETE FROM redactions WHERE event_nid = ?', params: [nid] },
    { sql: 'DELETE FROM mentions WHERE room_nid = ? AND event_nid = ?', params: [roomNid, nid] },
    ...replaceRejection(roomNid, nid, reason),
  ]
}
