import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { findTestDrivers, openTestLog } from '../log/databases-suite.ts'
import { findGaps } from './find-gaps.ts'
import { ERASURE } from './registry.ts'
import { DELETE, deleteRows, keep, rewrite, withEvents } from './rules.ts'
import { readSchema } from './schema-suite.ts'
import {
  cutSteps,
  ERASE_STAGES,
  PURGE_STAGES,
  erasePortion,
  purgePortion,
  redactSteps,
} from './statements.ts'

for (const driver of await findTestDrivers()) {
  describe(`the erasure list on ${driver.name}`, { skip: driver.skip }, () => {
    it('names every table and column of the schema, and what becomes of it', async () => {
      await using target = await driver.create()
      await using opened = await openTestLog(target.config)
      assert.deepEqual(findGaps(ERASURE, await readSchema(opened.db)), [])
    })
  })
}

it('every statement finds its rows in the order of an index, but in tables that are never large', async () => {
  const [sqlite] = await findTestDrivers()
  await using target = await sqlite!.create()
  await using opened = await openTestLog(target.config)
  const room = { roomNid: 1, roomId: '!r' }
  const statements = [
    ...PURGE_STAGES.map((stage) => ({ stage, steps: purgePortion(stage, room, 10) })),
    ...ERASE_STAGES.map((stage) => ({ stage, steps: [erasePortion(stage, '@u:test', 10)] })),
  ]
  const plans = [
    ...statements
      .filter(({ stage }) => stage.rule.small !== true)
      .flatMap(({ steps }) => steps.map(({ sql }) => sql)),
    ...redactSteps({ roomNid: 1, nid: 1 }).map(({ sql }) => sql),
    ...cutSteps(1, [{ nid: 1, eventId: '$1' }]).map(({ sql }) => sql),
  ]
  for (const sql of plans) {
    const literal = sql.replaceAll('?', '1').replace(' RETURNING 1 AS one', '')
    const rows = await opened.db.query<{ detail: string }>(`EXPLAIN QUERY PLAN ${literal}`, [])
    const slow = rows.filter(({ detail }) => /^SCAN |TEMP B-TREE/i.test(detail))
    assert.deepEqual(slow, [], sql)
  }
})

describe('the check of the list', () => {
  const schema = new Map([['t', ['room_nid', 'event_nid', 'user_id', 'text']]])
  const whole = {
    t: {
      columns: { room_nid: 'room_nid', event_nid: 'event_nid', user_id: 'user_id', text: 'content' },
      purge: withEvents('event_nid'),
      erase: { user_id: deleteRows('user_id', 'event_nid') },
      redact: { event_nid: DELETE },
    },
  } as const

  it('finds nothing where all is named', () => assert.deepEqual(findGaps(whole, schema), []))

  it('finds new tables and columns, and ones that are no more', () => {
    const more = new Map([...schema, ['u', ['x']]])
    assert.match(findGaps(whole, more).join(), /table u is not in/)
    assert.match(findGaps(whole, new Map([['t', [...schema.get('t')!, 'more']]])).join(), /t\.more is not in/)
    assert.match(findGaps(whole, new Map()).join(), /no table t/)
    assert.match(findGaps(whole, new Map([['t', ['room_nid']]])).join(), /no column t\.text/)
  })

  it('finds columns without a rule, and names that contradict what is said of them', () => {
    const { columns, purge, erase, redact } = whole.t
    assert.match(findGaps({ t: { columns, erase, redact } }, schema).join(), /no rule for purging/)
    assert.match(
      findGaps({ t: { columns, purge, redact } }, schema).join(),
      /user_id has no rule for erasing/,
    )
    assert.match(
      findGaps({ t: { columns, purge, erase } }, schema).join(),
      /event_nid has no rule for redacting/,
    )
    assert.match(
      findGaps(
        { t: { columns, purge: deleteRows('room_nid'), erase, redact: { event_nid: keep('x') } } },
        schema,
      ).join(),
      /no rule for cutting/,
    )
    const kept = { columns, purge, erase: { user_id: keep('x') }, redact: { event_nid: keep('x') } }
    assert.match(
      findGaps({ t: kept }, schema).join(),
      /text has no rule for erasing.*text has no rule for redact/,
    )
    const covered = {
      ...kept,
      erase: { ...kept.erase, text: rewrite('x') },
      redact: { ...kept.redact, text: rewrite('x') },
    }
    assert.deepEqual(findGaps({ t: covered }, schema), [])
    const odd = { ...whole.t, columns: { ...columns, user_id: 'none' as const } }
    assert.match(findGaps({ t: odd }, schema).join(), /user_id is user_id, not none/)
    const vain = { ...whole.t, purge: withEvents('other') }
    assert.match(findGaps({ t: vain }, schema).join(), /names other/)
  })
})
