import type { Database, Row, Statement } from '../db/database.ts'
import type { EventRow } from './events.ts'

/** An edit or a reference, with the event it relates to. `json` is left out of references: only ids are shown. */
export interface RelatedRow extends Row {
  nid: number
  event_id: string
  room_nid: number
  depth: number
  state_root: number
  room_root: number
  state_before: number
  flags: number
  state_nid: number
  parent_event_id: string
  rel_type: string
  type: string
  json: Uint8Array | null
}

/** A thread by its root: how many replies, whether a user is among their senders, and the newest of them. */
export interface ThreadRow extends EventRow {
  parent_event_id: string
  replies: number
  own: number
}

/** Which relations count: those of one room, before a log number, not sent by these users. */
export interface RelationScope {
  readonly roomNid: number
  readonly before: number
  readonly ignored: readonly string[]
}

/** Edits looked at for each event, the newest of them: the latest by its timestamp is among the last to arrive. */
const EDITS = 8
/** References listed for each event, the newest of them. */
const REFERENCES = 200
const PLACE =
  'e.nid, e.event_id, e.room_nid, e.depth, e.state_root, e.state_before, e.flags, e.state_nid, e.room_root'

/**
 * The newest edits (by any of `editors`) and references of several events in one query, newest first.
 * Costs an index range per event.
 */
export function listEditsAndReferences(
  db: Database,
  { roomNid, before, ignored }: RelationScope,
  parents: readonly string[],
  editors: readonly string[],
): Promise<RelatedRow[]> {
  return db.query<RelatedRow>(
    `SELECT q.parent_event_id, q.rel_type, q.type, ${PLACE},
       CASE WHEN q.rel_type = 'm.reference' THEN NULL ELSE e.json END AS json
     FROM (
       SELECT event_nid, parent_event_id, rel_type, type, row_number() OVER (
         PARTITION BY parent_event_id, rel_type,
           CASE WHEN rel_type = 'm.reference' THEN '' ELSE type END,
           CASE WHEN rel_type = 'm.reference' THEN '' ELSE sender END
         ORDER BY event_nid DESC
       ) AS place
       FROM relations
       WHERE parent_event_id IN (?text[]) AND rel_type IN ('m.replace', 'm.reference') AND room_nid = ?
         AND event_nid < ? AND sender NOT IN (?text[]) AND (rel_type = 'm.reference' OR sender IN (?text[]))
     ) AS q JOIN events e ON e.nid = q.event_nid
     WHERE q.place <= CASE WHEN q.rel_type = 'm.reference' THEN ${REFERENCES} ELSE ${EDITS} END
     ORDER BY q.event_nid DESC`,
    [parents, roomNid, before, ignored, editors],
  )
}

/** The threads that start at these events, in one query: answered from an index, but for the newest replies. */
export function listThreadSummaries(
  db: Database,
  { roomNid, before, ignored }: RelationScope,
  roots: readonly string[],
  userId: string,
): Promise<ThreadRow[]> {
  return db.query<ThreadRow>(
    `SELECT q.parent_event_id, q.replies, q.own, ${PLACE}, e.json
     FROM (
       SELECT parent_event_id, count(*) AS replies, max(event_nid) AS latest,
         max(CASE WHEN sender = ? THEN 1 ELSE 0 END) AS own
       FROM relations
       WHERE rel_type = 'm.thread' AND room_nid = ? AND parent_event_id IN (?text[]) AND event_nid < ?
         AND sender NOT IN (?text[])
       GROUP BY parent_event_id
     ) AS q JOIN events e ON e.nid = q.latest`,
    [userId, roomNid, roots, before, ignored],
  )
}

/** A thread of a room in the list of its threads. */
export interface ThreadListRow extends Row {
  parent_event_id: string
  latest: number
  own: number
}

/**
 * Threads of a room whose newest reply lies before a log number, the latest first. Walks the index of the room's
 * thread replies, off the main thread.
 */
export function listThreads(
  db: Database,
  { roomNid, before, ignored }: RelationScope,
  page: { readonly userId: string; readonly latestBefore: number; readonly limit: number },
): Promise<ThreadListRow[]> {
  return db.queryLarge<ThreadListRow>(
    `SELECT parent_event_id, max(event_nid) AS latest, max(CASE WHEN sender = ? THEN 1 ELSE 0 END) AS own
     FROM relations
     WHERE rel_type = 'm.thread' AND room_nid = ? AND event_nid < ? AND sender NOT IN (?text[])
     GROUP BY parent_event_id HAVING max(event_nid) < ? ORDER BY latest DESC LIMIT ?`,
    [page.userId, roomNid, before, ignored, page.latestBefore, page.limit],
  )
}

export interface RelatingQuery {
  readonly roomNid: number
  readonly parentEventId: string
  readonly relType: string | undefined
  readonly eventType: string | undefined
  /** Exclusive at both ends. */
  readonly after: number
  readonly before: number
  readonly backwards: boolean
  readonly limit: number
  /** 1: only what relates directly; more: also what relates to that, up to so many steps. */
  readonly depth: number
}

const DIRECT = 'SELECT event_nid, rel_type, type FROM relations WHERE room_nid = ? AND parent_event_id = ?'
const RECURSIVE = `SELECT DISTINCT event_nid, rel_type, type FROM tree`
const TREE = `WITH RECURSIVE tree (event_nid, event_id, rel_type, type, depth) AS (
    SELECT r.event_nid, e.event_id, r.rel_type, r.type, 1
    FROM relations r JOIN events e ON e.nid = r.event_nid WHERE r.room_nid = ? AND r.parent_event_id = ?
    UNION
    SELECT r.event_nid, e.event_id, r.rel_type, r.type, tree.depth + 1
    FROM tree JOIN relations r ON r.parent_event_id = tree.event_id AND r.room_nid = ?
    JOIN events e ON e.nid = r.event_nid WHERE tree.depth < ?
  ) `

/** Numbers of the events that relate to one, in arrival order (or the newest first). */
export async function listRelatingNids(db: Database, query: RelatingQuery): Promise<number[]> {
  const { roomNid, parentEventId, relType, eventType } = query
  const recursive = query.depth > 1
  const filters = [
    ...(relType === undefined ? [] : [{ sql: 'AND rel_type = ?', value: relType }]),
    ...(eventType === undefined ? [] : [{ sql: 'AND type = ?', value: eventType }]),
  ]
  const rows = await db.queryLarge<{ event_nid: number }>(
    `${recursive ? TREE : ''}SELECT event_nid FROM (${recursive ? RECURSIVE : DIRECT}) AS found
     WHERE event_nid > ? AND event_nid < ? ${filters.map(({ sql }) => sql).join(' ')}
     ORDER BY event_nid ${query.backwards ? 'DESC' : 'ASC'} LIMIT ?`,
    [
      roomNid,
      parentEventId,
      ...(recursive ? [roomNid, query.depth] : []),
      query.after,
      query.before,
      ...filters.map(({ value }) => value),
      query.limit,
    ],
  )
  return rows.map((row) => row.event_nid)
}

/** Which relations to an event are wanted: of one of these types, and sent by one of these users; absent: any. */
export interface RelatedBy {
  readonly relTypes?: readonly string[]
  readonly senders?: readonly string[]
}

/** Those of some events to which such a relation exists. Costs an index range per event. */
export async function findRelatedTo(
  db: Database,
  { roomNid, before, ignored }: RelationScope,
  eventIds: readonly string[],
  { relTypes, senders }: RelatedBy,
): Promise<Set<string>> {
  const rows = await db.query<{ parent_event_id: string }>(
    `SELECT DISTINCT parent_event_id FROM relations
     WHERE parent_event_id IN (?text[]) AND room_nid = ? AND event_nid < ? AND sender NOT IN (?text[])
       ${relTypes === undefined ? '' : 'AND rel_type IN (?text[])'}
       ${senders === undefined ? '' : 'AND sender IN (?text[])'}`,
    [
      eventIds,
      roomNid,
      before,
      ignored,
      ...(relTypes === undefined ? [] : [relTypes]),
      ...(senders === undefined ? [] : [senders]),
    ],
  )
  return new Set(rows.map((row) => row.parent_event_id))
}

/** An annotation as it must not be given twice. */
export interface Annotation {
  readonly roomNid: number
  readonly parentEventId: string
  readonly type: string
  readonly sender: string
  readonly key: string
}

const SAME_ANNOTATION = `SELECT event_nid FROM relations
  WHERE parent_event_id = ? AND rel_type = 'm.annotation' AND type = ? AND room_nid = ? AND sender = ?
    AND aggregation_key = ?`

function annotationParams({ parentEventId, type, roomNid, sender, key }: Annotation): (string | number)[] {
  return [parentEventId, type, roomNid, sender, key]
}

/** Whether somebody has given this annotation already. */
export async function hasAnnotation(db: Database, annotation: Annotation): Promise<boolean> {
  return (await db.query(`${SAME_ANNOTATION} LIMIT 1`, annotationParams(annotation))).length > 0
}

/** For the write that adds the annotation: refuses it when another write has just added the same. */
export function onlyAnnotation(annotation: Annotation): Statement {
  return { sql: SAME_ANNOTATION, params: annotationParams(annotation), expectRows: 1 }
}
