import type { TableShape } from '../database.ts'

/** An insert of one row; upserts spelled out, since `INSERT OR REPLACE` would act on other unique keys too. */
export function insertSql(table: TableShape): string {
  const names = table.columns.map((column) => column.name)
  const sql = `INSERT INTO ${table.name} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`
  return sql + conflictClause(table)
}

/** ` ON CONFLICT …`, or nothing. */
export function conflictClause(table: TableShape): string {
  if (table.onConflict === undefined) return ''
  const { key, action } = table.onConflict
  const rest = table.columns.map((column) => column.name).filter((name) => !key.includes(name))
  const target = ` ON CONFLICT (${key.join(', ')}) DO `
  if (action === 'ignore' || rest.length === 0) return `${target}NOTHING`
  return `${target}UPDATE SET ${rest.map((name) => `${name} = excluded.${name}`).join(', ')}`
}
