import type { Database, Statement, Step, TableShape } from '../db/database.ts'

const LIMITS: TableShape = {
  name: 'limits',
  columns: [
    { name: 'kind', type: 'text' },
    { name: 'principal', type: 'text' },
    { name: 'action', type: 'text' },
    { name: 'per_kilosecond', type: 'int' },
    { name: 'burst', type: 'int' },
  ],
  onConflict: { key: ['kind', 'principal', 'action'], action: 'replace' },
}

/** Whose limit of what; everybody's has an empty kind and principal. */
export interface LimitKey {
  readonly kind: string
  readonly principal: string
  readonly action: string
}

/** A limit that an operator decided. `perSecond` is kept to a thousandth; 0 lifts the limit. */
export interface StoredLimit extends LimitKey {
  readonly perSecond: number
  readonly burst: number
}

/** All there are, everybody's first. */
export async function listLimits(db: Database): Promise<StoredLimit[]> {
  const rows = await db.query(
    'SELECT kind, principal, action, per_kilosecond, burst FROM limits ORDER BY kind, principal, action',
    [],
  )
  return rows.map((row) => ({
    kind: String(row['kind']),
    principal: String(row['principal']),
    action: String(row['action']),
    perSecond: Number(row['per_kilosecond']) / 1000,
    burst: Number(row['burst']),
  }))
}

/** Takes the place of the one there was. */
export function setLimit({ kind, principal, action, perSecond, burst }: StoredLimit): Step {
  return { into: LIMITS, values: [kind, principal, action, Math.round(perSecond * 1000), burst] }
}

export function deleteLimit({ kind, principal, action }: LimitKey): Statement {
  return {
    sql: 'DELETE FROM limits WHERE kind = ? AND principal = ? AND action = ?',
    params: [kind, principal, action],
  }
}

export async function countLimits(db: Database): Promise<number> {
  const [row] = await db.query('SELECT COUNT(*) AS n FROM limits', [])
  return Number(row!['n'])
}
