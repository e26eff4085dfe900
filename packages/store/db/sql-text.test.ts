import assert from 'node:assert/strict'
import { it } from 'node:test'
import { splitStatements, toPostgresSql, toSqliteSql, wordsOf } from './sql-text.ts'

const sql = `SELECT '?', "a?" FROM t WHERE a = ? AND b NOT IN ( ?text[] ) AND c in (?int[]) -- ?\n/* ? */`

it('placeholders become those of the database, outside of literals, quoted names and comments', () => {
  assert.deepEqual(toPostgresSql(sql), {
    sql: `SELECT '?', "a?" FROM t WHERE a = $1 AND b <> ALL($2::text[]) AND c = ANY($3::bigint[]) -- ?\n/* ? */`,
    params: ['value', 'text[]', 'int[]'],
  })
  const list = 'IN (SELECT value FROM json_each(?))'
  assert.equal(
    toSqliteSql(sql).sql,
    `SELECT '?', "a?" FROM t WHERE a = ? AND b NOT ${list} AND c ${list} -- ?\n/* ? */`,
  )
})

it('UTF-8 is read as text from PostgreSQL, and as bytes from SQLite', () => {
  const read = `SELECT UTF8(e.json) AS json, 'UTF8(x)' FROM events e WHERE nid = ?`
  assert.equal(
    toPostgresSql(read).sql,
    `SELECT convert_from(e.json, 'UTF8') AS json, 'UTF8(x)' FROM events e WHERE nid = $1`,
  )
  assert.equal(toSqliteSql(read).sql, `SELECT e.json AS json, 'UTF8(x)' FROM events e WHERE nid = ?`)
})

it('a list anywhere but after IN is refused', () => {
  assert.throws(() => toSqliteSql('SELECT * FROM ?text[]'), /stands only in IN/)
  assert.throws(() => toPostgresSql('SELECT 1 WHERE a = ?int[]'), /stands only in IN/)
})

it('the words of a statement are all names in it, quoted or not, but no literals', () => {
  assert.deepEqual(
    [...wordsOf(`DELETE FROM "Notes" WHERE a = 'things' -- rooms`)],
    ['delete', 'from', 'notes', 'where', 'a'],
  )
})

it('a script is split at semicolons that end a statement', () => {
  const script = `-- first; comment\nCREATE TABLE a (b TEXT DEFAULT 'x;''y'); /* ; */ INSERT INTO a VALUES (';');\n-- end`
  assert.deepEqual(splitStatements(script), [
    `CREATE TABLE a (b TEXT DEFAULT 'x;''y')`,
    `INSERT INTO a VALUES (';')`,
  ])
})

it('a trigger is one statement, with those of its body', () => {
  const trigger = `CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  INSERT INTO b VALUES ('END');\n  DELETE FROM c;\nEND`
  assert.deepEqual(splitStatements(`CREATE TABLE a (b);${trigger};\nDROP TABLE x;`), [
    'CREATE TABLE a (b)',
    trigger,
    'DROP TABLE x',
  ])
})
