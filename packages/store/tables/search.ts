import type { Database, Insert, ReadParam, Row, Statement, TableShape } from '../db/database.ts'

/** Of an event's tokens the one that says where a text stands that is not the body of a message. */
export const NAME_TOKEN = '†name'
export const TOPIC_TOKEN = '†topic'

/** An event with what it is found by. */
export interface SearchDocument {
  readonly nid: number
  readonly roomNid: number
  /** Distinct; none holds a space. */
  readonly tokens: readonly string[]
}

const SEARCH_DOCUMENTS: TableShape = {
  name: 'search_documents',
  columns: [
    { name: 'event_nid', type: 'int' },
    { name: 'room_nid', type: 'int' },
    { name: 'tokens', type: 'text' },
  ],
  onConflict: { key: ['event_nid'], action: 'ignore' },
}

/**
 * What puts documents into the index, for one write. Of those whose event was redacted, erased or purged since it was
 * read, nothing stays: the last statement takes them out again before anybody sees them.
 */
export function indexSteps(documents: readonly SearchDocument[]): (Insert | Statement)[] {
  if (documents.length === 0) return []
  const inserts = documents.map(({ nid, roomNid, tokens }) => ({
    into: SEARCH_DOCUMENTS,
    values: [nid, roomNid, tokens.join(' ')],
  }))
  const nids = documents.map(({ nid }) => nid)
  const stale: Statement = {
    sql: `DELETE FROM search_documents WHERE event_nid >= ? AND event_nid <= ? AND NOT EXISTS (
       SELECT 1 FROM events e WHERE e.nid = search_documents.event_nid AND (e.flags & ${REDACTED}) = 0)`,
    params: [Math.min(...nids), Math.max(...nids)],
  }
  return [...inserts, stale]
}

/** `EventFlag.redacted`. */
const REDACTED = 8

/** One thing that a document must hold: a token, or with `prefix` one that begins so. */
export interface SoughtToken {
  readonly token: string
  readonly prefix: boolean
}

export interface SearchQuery {
  /** All of them. */
  readonly terms: readonly SoughtToken[]
  /** At least one of them, when there are any. */
  readonly anyOf: readonly string[]
  /** None of them. */
  readonly noneOf: readonly string[]
  /** Only events of these rooms. */
  readonly roomNids: readonly number[]
  /** Only events with a smaller number. */
  readonly before: number
  readonly limit: number
}

/** Up to so many rooms are sought in the index itself; of more the index is asked first, and then each document's room. */
const MAX_ROOM_TOKENS = 64

/** The newest events that a query finds, by number, newest first. Off the calling thread. */
export async function findDocuments(db: Database, query: SearchQuery): Promise<number[]> {
  if (query.terms.length === 0 || query.roomNids.length === 0) return []
  return db.dialect === 'sqlite' ? findInFts(db, query) : findInGin(db, query)
}

/** The room's token, as the triggers and the index of the migration build it. */
const roomTokens = ({ roomNids }: SearchQuery): string[] =>
  roomNids.length > MAX_ROOM_TOKENS ? [] : roomNids.map((roomNid) => `†r${roomNid}`)

async function findInFts(db: Database, query: SearchQuery): Promise<number[]> {
  const rooms = roomTokens(query)
  const groups = [
    ...query.terms.map(({ token, prefix }) => `"${token}"${prefix ? '*' : ''}`),
    ...[query.anyOf, rooms].filter((tokens) => tokens.length > 0).map((tokens) => `(${quoted(tokens)})`),
  ]
  const wanted = groups.join(' AND ')
  const match = query.noneOf.length === 0 ? wanted : `(${wanted}) NOT (${quoted(query.noneOf)})`
  // Walks the lists of the tokens from the newest event on, and ends with the last one wanted.
  const [sql, params]: [string, ReadParam[]] =
    rooms.length > 0
      ? [
          `SELECT rowid AS nid FROM search_index WHERE search_index MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?`,
          [match, query.before, query.limit],
        ]
      : [
          `SELECT d.event_nid AS nid FROM search_index i CROSS JOIN search_documents d ON d.event_nid = i.rowid
           WHERE i.search_index MATCH ? AND i.rowid < ? AND d.room_nid IN (?int[]) ORDER BY i.rowid DESC LIMIT ?`,
          [match, query.before, query.roomNids, query.limit],
        ]
  return nidsOf(await db.queryLarge(sql, params))
}

const quoted = (tokens: readonly string[]): string => tokens.map((token) => `"${token}"`).join(' OR ')

/** The index's expression, word for word. `+ 0`: by the tokens alone, never along the primary key. */
const BY_TOKEN = `SELECT event_nid AS nid FROM search_documents
  WHERE array_to_tsvector(string_to_array(
      tokens || ' †r' || CAST(room_nid AS TEXT) || ' †n' || CAST(event_nid / 8192 AS TEXT), ' '
    )) @@ CAST(CAST(? AS TEXT) AS tsquery) AND event_nid + 0 < ?`
const NEWEST = 'ORDER BY event_nid + 0 DESC LIMIT ?'
/** Event numbers of one run, as in the index. */
const RUN = 8192
/**
 * How many runs, newest first, are looked at before all are: of a common word all matches would be far too many. Few, since
 * the index weighs every document that it comes across against each of them.
 */
const RUNS = [2, 8]

/** Rooms are sought in the index only where all runs are: for the same reason, a row of a few runs is looked at faster. */
async function findInGin(db: Database, query: SearchQuery): Promise<number[]> {
  const groups = [
    ...query.terms.map(({ token, prefix }) => `'${token}'${prefix ? ':*' : ''}`),
    ...query.noneOf.map((token) => `!'${token}'`),
    ...(query.anyOf.length > 0 ? [anyLexeme(query.anyOf)] : []),
  ]
  const find = async (more: readonly string[]): Promise<number[]> => {
    const params = [[...groups, ...more].join(' & '), query.before, query.roomNids, query.limit]
    return nidsOf(await db.queryLarge(`${BY_TOKEN} AND room_nid IN (?int[]) ${NEWEST}`, params))
  }
  const newest = await findNewest(db, query.before)
  for (const runs of RUNS) {
    const found = newest - runs * RUN > 0 ? await find([anyLexeme(runTokens(newest, runs))]) : []
    if (found.length >= query.limit) return found
  }
  const rooms = roomTokens(query)
  return find(rooms.length > 0 ? [anyLexeme(rooms)] : [])
}

const anyLexeme = (tokens: readonly string[]): string =>
  `(${tokens.map((token) => `'${token}'`).join(' | ')})`

function runTokens(newest: number, runs: number): string[] {
  const last = Math.trunc(newest / RUN)
  return Array.from({ length: runs }, (_, back) => `†n${last - back}`)
}

/** The number of the newest document before a place; 0 when there is none. */
async function findNewest(db: Database, before: number): Promise<number> {
  const rows = await db.query<{ nid: number }>(
    'SELECT event_nid AS nid FROM search_documents WHERE event_nid < ? ORDER BY event_nid DESC LIMIT 1',
    [before],
  )
  return rows[0]?.nid ?? 0
}

const nidsOf = (rows: readonly Row[]): number[] => rows.map((row) => Number(row['nid']))

/** The lowest number of the second, decreasing sequence that was handed out. */
export async function findHistoryEnd(db: Database): Promise<number> {
  const rows = await db.query<{ historical: number }>('SELECT historical FROM log_state WHERE id = 1', [])
  return rows[0]?.historical ?? 0
}
