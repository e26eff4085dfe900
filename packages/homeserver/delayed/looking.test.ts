import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database, Row } from '@causeway/store/db/database.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { silentLogger } from '../ops/log.ts'
import { CompanionRefused } from '../rooms/write-to-room.ts'
import { createDelayedSending } from './delayed-sending.ts'
import type { SendingDeps } from './send-delayed.ts'

test('what becomes due while it is looked for what is due is sent, although nothing else is scheduled', async () => {
  let now = 1_000
  const sent = Promise.withResolvers<void>()
  const scheduled: Row[] = [{ delay_id: 'd', user_id: '@alice:test', send_ts: 1_005 }]
  const db = {
    commit: async () => ({ ok: true, positions: [], historical: [], rows: new Map() }),
    query: async (sql: string, [at]: readonly number[]) => {
      if (sql.includes('send_ts > ?')) return scheduled.filter((row) => (row['send_ts'] as number) > at!)
      const due = scheduled.filter((row) => (row['send_ts'] as number) <= at!)
      // The answer takes so long.
      now += 10
      return due
    },
  } as unknown as Database
  const clock = { ...systemClock, now: () => now }
  await using sending = createDelayedSending({ db, clock, logger: silentLogger }, (): SendingDeps => {
    scheduled.length = 0
    sent.resolve()
    throw new CompanionRefused(0, 'precondition')
  })
  sending.start()
  await sent.promise
  await sending.idle()
  assert.equal(scheduled.length, 0)
})
