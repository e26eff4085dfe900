import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import { openDatabase } from '@causeway/store/db/open.ts'
import { MessageBook } from './message-book.ts'

const signer = { serverName: 'example.org', keyId: 'ed25519:1', privateKey: new Uint8Array(32) }

test('the parts of a message are all known, also where a restart came between them', async () => {
  const deps = { clock: systemClock, random: systemRandom, signer }
  await using db = await openDatabase({ kind: 'sqlite', path: ':memory:' }, deps)
  const part = (n: number) => ({
    ...{ eventId: '$long', portalNid: 1, part: n, remoteId: `m${n}`, roomId: '!room:example.org' },
    remoteAuthor: '',
  })
  const before = new MessageBook(db, systemClock)
  for (const n of [0, 1]) await db.commit({ entries: [], steps: [before.record(part(n))] })
  const after = new MessageBook(db, systemClock)
  await db.commit({ entries: [], steps: [after.record(part(2))] })
  for (const book of [before, after]) {
    const known = (await book.partsOf(1, '$long')).map(({ remoteId }) => remoteId)
    assert.deepEqual(known, book === before ? ['m0', 'm1'] : ['m0', 'm1', 'm2'])
  }
  assert.equal((await after.eventOf(1, 'm2'))?.eventId, '$long')
})
