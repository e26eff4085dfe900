import type { Database, Step, TableShape } from '../db/database.ts'

const BRIDGE_CURSOR: TableShape = {
  name: 'bridge_cursor',
  columns: [
    { name: 'portal_nid', type: 'int' },
    { name: 'cursor', type: 'text' },
  ],
  onConflict: { key: ['portal_nid'], action: 'replace' },
}

/** How far a portal was heard, in its network's own terms. */
export function setCursor(portalNid: number, cursor: string): Step {
  return { into: BRIDGE_CURSOR, values: [portalNid, cursor] }
}

export async function findCursor(db: Database, portalNid: number): Promise<string | undefined> {
  const sql = 'SELECT cursor FROM bridge_cursor WHERE portal_nid = ?'
  const rows = await db.query<{ cursor: string }>(sql, [portalNid])
  return rows[0]?.cursor
}

/** A channel that is no longer heard begins anew when it is linked again. */
export function deleteCursor(portalNid: number): Step {
  return { sql: 'DELETE FROM bridge_cursor WHERE portal_nid = ?', params: [portalNid] }
}
