import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { sharedPostgres } from '@causeway/testkit/postgres.ts'
import type { Database, ReadParam } from '../db/database.ts'
import { toPostgresSql } from '../db/sql-text.ts'
import { PostgresSession } from '../db/writer/postgres-session.ts'
import { openTestLog } from '../log/databases-suite.ts'
import { listHistoryRows, listTimelineRows } from './events.ts'

const server = await sharedPostgres()
const ROOM = 3
const FILL = `INSERT INTO events (nid, event_id, room_nid, depth, state_root, state_before, flags, state_nid, json, room_root)
  SELECT n, '$' || n, CASE WHEN n % 2 = 0 THEN ${ROOM} ELSE n % 40 END, n, 1, 1, 16, 0, convert_to(repeat('x', 700), 'UTF8'), 0
  FROM generate_series(1, 8000) AS n`

/** What a read asks for, as PostgreSQL is asked it. */
async function asked(read: (db: Database) => Promise<unknown>): Promise<string> {
  let text = ''
  const query = async (sql: string, params: readonly ReadParam[]): Promise<[]> => {
    text = toPostgresSql(sql).sql.replaceAll(/\$(\d+)/g, (_, index) => String(params[Number(index) - 1]))
    return []
  }
  await read({ query, queryLarge: query } as unknown as Database)
  return text
}

describe('pages of a room on PostgreSQL', { skip: 'skip' in server && server.skip }, () => {
  it('are read in the order of an index, not sorted out of all the room', async () => {
    if ('skip' in server) return
    const url = await server.createDatabase()
    await using _ = await openTestLog({ kind: 'postgres', url })
    const session = await PostgresSession.open(url, 'history-plan-test')
    try {
      await session.send(FILL)
      await session.send('ANALYZE events')
      const range = { after: 0, before: 7000, backwards: true, limit: 100 }
      const places = { after: { depth: 0, nid: 0 }, before: { depth: 7000, nid: 7000 }, arrivedBefore: 8000 }
      const reads = [
        await asked((db) => listTimelineRows(db, ROOM, range)),
        await asked((db) => listHistoryRows(db, ROOM, { ...places, backwards: true, limit: 100 })),
        await asked((db) => listHistoryRows(db, ROOM, { ...places, backwards: false, limit: 100 })),
      ]
      for (const sql of reads) {
        const { rows } = await session.send(`EXPLAIN ${sql}`)
        const plan = rows.map((row) => String(row['QUERY PLAN'])).join('\n')
        assert.match(plan, /Index Scan/)
        assert.doesNotMatch(plan, /Sort/)
      }
    } finally {
      await session.close()
    }
  })
})
