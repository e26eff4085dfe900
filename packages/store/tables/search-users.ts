import type { Database, ReadParam } from '../db/database.ts'

/** Words that all have to begin a word of a name (see `directory_words`). At least one. */
export type Prefixes = readonly string[]

export interface UserSearch {
  /** Who asks. */
  readonly userId: string
  /** Any of them finds a name. */
  readonly alternatives: readonly Prefixes[]
  /** Words that tell a name which is the very one that was asked for. */
  readonly exact: readonly string[]
  /** Whom the asker does not want to see. */
  readonly except: readonly string[]
  readonly limit: number
}

export interface FoundUser {
  readonly userId: string
  /** Both may be empty. */
  readonly displayName: string
  readonly avatarUrl: string
}

/** Entries of the index that are looked at for one alternative: what begins with one letter may be everybody. */
export const CANDIDATES = 10_000

/** Behind every text that begins with the prefix, in the order of code points. */
const AFTER_ALL = '\u{10FFFF}'

const RANGE = 'word >= ? AND word < ?'
const rangeOf = (prefix: string): ReadParam[] => [prefix, prefix + AFTER_ALL]

/** The longest word is found in most cases by the fewest. */
function byLength(prefixes: Prefixes): readonly string[] {
  return prefixes.toSorted((a, b) => b.length - a.length)
}

/** Names found by one alternative: those that match one word, the closest first, and have all the others. */
function candidates(prefixes: Prefixes): { sql: string; params: ReadParam[] } {
  const [first, ...others] = byLength(prefixes)
  const has = `EXISTS (SELECT 1 FROM directory_words w WHERE w.name_nid = c.name_nid AND w.${RANGE.replace('AND ', 'AND w.')})`
  const where = others.length === 0 ? '' : ` WHERE ${others.map(() => has).join(' AND ')}`
  return {
    sql: `SELECT c.name_nid FROM (
      SELECT name_nid FROM directory_words WHERE ${RANGE} ORDER BY word, name_nid LIMIT ?
    ) AS c${where}`,
    params: [...rangeOf(first!), CANDIDATES, ...others.flatMap(rangeOf)],
  }
}

/**
 * Users whom the asker may see under a name that was asked for, the best first: whose name is the very one, who
 * shares a room with the asker, who is in an open room. Ghosts of application services are found by those who
 * share a room with them only, and the asker themselves as by anybody else. Everybody once.
 */
export async function searchUsers(db: Database, search: UserSearch): Promise<FoundUser[]> {
  const found = search.alternatives.map(candidates)
  const rows = await db.queryLarge<{
    nid: number
    user_id: string
    display_name: string
    avatar_url: string
  }>(
    `WITH found AS (${found.map(({ sql }) => sql).join(' UNION ')}),
    mine AS (SELECT room_nid FROM memberships WHERE user_id = ? AND membership = 'join'),
    exact AS (SELECT name_nid FROM directory_words WHERE word IN (?text[]) LIMIT ${CANDIDATES}),
    near AS (
      SELECT s.name_nid, MIN(CASE WHEN m.room_nid IS NOT NULL THEN 0 ELSE 1 END) AS strange,
        MAX(r.is_public) AS open
      FROM found f JOIN directory_shown s ON s.name_nid = f.name_nid
      JOIN directory_rooms r ON r.room_nid = s.room_nid
      LEFT JOIN mine m ON m.room_nid = s.room_nid
      WHERE m.room_nid IS NOT NULL OR r.is_public = 1 GROUP BY s.name_nid
    ),
    seen AS (
      SELECT n.nid, n.user_id, n.display_name, n.avatar_url,
        CASE WHEN n.nid IN (SELECT name_nid FROM exact) THEN 0 ELSE 1 END AS inexact,
        CASE WHEN n.user_id = ? THEN 1 ELSE near.strange END AS strange, near.open,
        CASE WHEN COALESCE(u.appservice_id, '') = '' THEN 0 ELSE 1 END AS is_ghost
      FROM near JOIN directory_names n ON n.nid = near.name_nid LEFT JOIN users u ON u.user_id = n.user_id
      WHERE COALESCE(u.deactivated_ts, 0) = 0 AND COALESCE(u.is_locked, 0) = 0
        AND n.user_id NOT IN (?text[])
    ),
    best AS (
      SELECT seen.*, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY inexact, strange, nid) AS place
      FROM seen WHERE strange = 0 OR (open = 1 AND is_ghost = 0)
    )
    SELECT nid, user_id, display_name, avatar_url FROM best WHERE place = 1
    ORDER BY inexact, strange, is_ghost, display_name, user_id LIMIT ?`,
    [
      ...found.flatMap(({ params }) => params),
      search.userId,
      search.exact,
      search.userId,
      search.except,
      search.limit,
    ],
  )
  const visible = await findVisible(db, search.userId, rows)
  return rows
    .filter((row) => visible.has(row.nid))
    .map((row) => ({ userId: row.user_id, displayName: row.display_name, avatarUrl: row.avatar_url }))
}

/** Of these names those that are to be seen by the memberships of this moment, whatever the directory knew last. */
async function findVisible(
  db: Database,
  askerId: string,
  names: readonly { readonly nid: number }[],
): Promise<ReadonlySet<number>> {
  const rows = await db.query<{ name_nid: number }>(
    `SELECT s.name_nid FROM directory_shown s JOIN directory_names n ON n.nid = s.name_nid
     JOIN memberships t ON t.user_id = n.user_id AND t.room_nid = s.room_nid AND t.membership = 'join'
     LEFT JOIN memberships m ON m.user_id = ? AND m.room_nid = s.room_nid AND m.membership = 'join'
     LEFT JOIN directory_rooms r ON r.room_nid = s.room_nid AND r.is_public = 1
     WHERE s.name_nid IN (?int[]) AND (m.room_nid IS NOT NULL OR r.room_nid IS NOT NULL)
     GROUP BY s.name_nid`,
    [askerId, names.map(({ nid }) => nid)],
  )
  return new Set(rows.map((row) => row.name_nid))
}

/** Whether more begins with what was asked for than was looked at. */
export async function hasMoreCandidates(db: Database, alternatives: readonly Prefixes[]): Promise<boolean> {
  const beyond = await Promise.all(
    alternatives.map((prefixes) =>
      db.queryLarge(
        `SELECT 1 AS one FROM directory_words WHERE ${RANGE} ORDER BY word, name_nid LIMIT 1 OFFSET ${CANDIDATES}`,
        rangeOf(byLength(prefixes)[0]!),
      ),
    ),
  )
  return beyond.some((rows) => rows.length > 0)
}
