import type { Database } from '../db/database.ts'
import type { Schema } from './find-gaps.ts'

const TABLES = {
  // Full-text indexes and the tables behind them are indexes: triggers keep them as the tables that they are about.
  sqlite: `SELECT t.name AS table_name, c.name AS column_name FROM pragma_table_list t
           JOIN pragma_table_info(t.name) c
           WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.cid`,
  postgres: `SELECT table_name::text AS table_name, column_name::text AS column_name
             FROM information_schema.columns WHERE table_schema = current_schema()
             ORDER BY table_name, ordinal_position`,
}

/** Test support: the tables and columns that a database really has. */
export async function readSchema(db: Database): Promise<Schema> {
  const rows = await db.query<{ table_name: string; column_name: string }>(TABLES[db.dialect], [])
  const schema = new Map<string, string[]>()
  for (const { table_name: table, column_name: column } of rows) {
    const columns = schema.get(table) ?? []
    schema.set(table, [...columns, column])
  }
  return schema
}
