import type { Statement, SqlValue } from '../db/database.ts'
import { ERASURE } from './registry.ts'
import { cutColumnsOf, type DeleteRows, type DeleteWith, type TableErasure } from './rules.ts'

/** The room whose rows go. */
export interface PurgedRoom {
  readonly roomNid: number
  readonly roomId: string
}

/** Rows of one table that go in portions, and with each portion what hangs on it. */
export interface ErasureStage {
  readonly table: string
  readonly rule: DeleteRows
}

const tables: readonly (readonly [string, TableErasure])[] = Object.entries(ERASURE)

function orderOf({ table }: ErasureStage): number {
  // Whoever is not a member any more must not find the room; events are what everything else refers to.
  return table === 'memberships' ? 0 : table === 'events' ? 2 : 1
}

/** What is done, in this order, for every room that is purged; `rooms` itself comes last, by its owner. */
export const PURGE_STAGES: readonly ErasureStage[] = tables
  .flatMap(([table, { purge }]) => (purge?.do === 'delete' ? [{ table, rule: purge }] : []))
  .toSorted((a, b) => orderOf(a) - orderOf(b))

/** What is done for every user that is erased, but for what rules call a way of its own. */
export const ERASE_STAGES: readonly ErasureStage[] = tables.flatMap(([table, { erase = {} }]) =>
  Object.values(erase).flatMap((rule) => (rule.do === 'delete' ? [{ table, rule }] : [])),
)

/** Columns that are emptied where they name the erased user. */
const BLANKED = tables.flatMap(([table, { erase = {} }]) =>
  Object.entries(erase).flatMap(([column, rule]) => (rule.do === 'blank' ? [[table, column] as const] : [])),
)

const HANGING = tables.flatMap(([table, { columns, purge }]) =>
  purge?.do === 'delete_with' ? [{ table, columns, rule: purge }] : [],
)

/** `(a, b)`, or `a` alone. */
const tuple = (columns: readonly string[]): string =>
  columns.length === 1 ? columns[0]! : `(${columns.join(', ')})`

/** Rows of a portion, as columns of them. In an order where statements of one write must mean the same rows. */
function portion({ table, rule }: ErasureStage, wanted: readonly string[], ordered: boolean): string {
  const order = ordered ? ` ORDER BY ${rule.key.join(', ')}` : ''
  return `SELECT ${wanted.join(', ')} FROM ${table} WHERE ${rule.by} = ?${order} LIMIT ?`
}

/** At most `limit` rows; the answer has one row for each that went. */
function deletePortion(stage: ErasureStage, value: SqlValue, limit: number, ordered: boolean): Statement {
  const { table, rule } = stage
  const rows = `${tuple(rule.key)} IN (${portion(stage, rule.key, ordered)})`
  return {
    sql: `DELETE FROM ${table} WHERE ${rule.by} = ? AND ${rows} RETURNING 1 AS one`,
    params: [value, value, limit],
    returning: true,
  }
}

function deleteHanging(
  stage: ErasureStage,
  { table, columns, rule }: { table: string; columns: TableErasure['columns']; rule: DeleteWith },
  roomNid: number,
  limit: number,
): Statement {
  // Events are found by number or by id, members by user id.
  const wanted = columns[rule.by] === 'event_nid' ? 'nid' : rule.by
  const rows = `${rule.by} IN (${portion(stage, [wanted], true)})`
  // Where rows of one user are spread over rooms, only those of this one.
  if (rule.what === 'events') return { sql: `DELETE FROM ${table} WHERE ${rows}`, params: [roomNid, limit] }
  return { sql: `DELETE FROM ${table} WHERE room_nid = ? AND ${rows}`, params: [roomNid, roomNid, limit] }
}

/**
 * One portion of a stage of a purge: at most `limit` rows of its table, and what hangs on them. The last
 * statement answers one row for each row of the table that went: fewer than `limit` were the last.
 */
export function purgePortion(stage: ErasureStage, room: PurgedRoom, limit: number): Statement[] {
  const byId = ERASURE[stage.table]!.columns[stage.rule.by] === 'room_id'
  const hanging = HANGING.filter(({ rule }) => rule.what === stage.table)
  return [
    ...hanging.map((one) => deleteHanging(stage, one, room.roomNid, limit)),
    deletePortion(stage, byId ? room.roomId : room.roomNid, limit, hanging.length > 0),
  ]
}

/** One portion of a stage of erasing a user; answers as `purgePortion` does. */
export function erasePortion(stage: ErasureStage, userId: string, limit: number): Statement {
  return deletePortion(stage, userId, limit, false)
}

/** Empties what names the user in rows that stay: few of each table. */
export function blankUser(userId: string): Statement[] {
  return BLANKED.map(([table, column]) => ({
    sql: `UPDATE ${table} SET ${column} = '' WHERE ${column} = ?`,
    params: [userId],
  }))
}

const OF_EVENTS = tables.flatMap(([table, { columns, redact = {} }]) =>
  Object.entries(redact).flatMap(([column, rule]) =>
    rule.do === 'delete' ? [{ table, column, hasRoom: columns['room_nid'] !== undefined }] : [],
  ),
)

/** What goes in the write that gives an event its redacted form. */
export function redactSteps(event: { readonly roomNid: number; readonly nid: number }): Statement[] {
  return OF_EVENTS.map(({ table, column, hasRoom }) =>
    hasRoom
      ? {
          sql: `DELETE FROM ${table} WHERE room_nid = ? AND ${column} = ?`,
          params: [event.roomNid, event.nid],
        }
      : { sql: `DELETE FROM ${table} WHERE ${column} = ?`, params: [event.nid] },
  )
}

/** A message that is removed. */
export interface CutEvent {
  readonly nid: number
  readonly eventId: string
}

/** Events of one statement: the number is fixed, so that there is one to prepare. */
const AT_ONCE = 50
const MARKS = Array.from({ length: AT_ONCE }, () => '?').join(', ')

/** What hangs on events before the events themselves. */
const CUT = tables
  .flatMap(([table, entry]) => cutColumnsOf(entry).map((column) => ({ table, column, entry })))
  .toSorted((a, b) => Number(a.table === 'events') - Number(b.table === 'events'))
  .map(({ table, column, entry: { columns } }) => ({
    byId: columns[column] === 'event_id',
    hasRoom: columns['room_nid'] !== undefined,
    sql: `DELETE FROM ${table} WHERE ${columns['room_nid'] === undefined ? '' : 'room_nid = ? AND '}${column} IN (${MARKS})`,
  }))

/** Removes messages of a room, and what follows from them alone. Not for state, on which the rest of a room is built. */
export function cutSteps(roomNid: number, events: readonly CutEvent[]): Statement[] {
  const steps: Statement[] = []
  for (let at = 0; at < events.length; at += AT_ONCE) {
    const some = Array.from(
      { length: AT_ONCE },
      (_, index) => events[Math.min(at + index, events.length - 1)]!,
    )
    for (const { sql, byId, hasRoom } of CUT) {
      const named = some.map(({ nid, eventId }) => (byId ? eventId : nid))
      steps.push({ sql, params: hasRoom ? [roomNid, ...named] : named })
    }
  }
  return steps
}
