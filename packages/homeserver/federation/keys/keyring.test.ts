import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { KeyId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { signJson } from '@causeway/matrix/signing/sign-json.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { findTestDrivers, openTestLog, type TestLog } from '@causeway/store/log/databases-suite.ts'
import type { WantedKeys } from '../keyring.ts'
import { createKeyWorld, keyId, OWN, type KeyServer, type KeyWorld } from './test-key-world.ts'

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
const other = 'ed25519:k2' as KeyId

const want = (server: KeyServer | ServerName, validAt: number, keyIds = [keyId]): WantedKeys => ({
  serverName: typeof server === 'string' ? server : server.name,
  keyIds,
  validAt,
})

for (const driver of await findTestDrivers()) {
  describe(`the keyring on ${driver.name}`, { skip: driver.skip }, () => {
    const stack = new AsyncDisposableStack()
    let open: TestLog
    before(async () => {
      const database = stack.use(await driver.create())
      open = stack.use(await openTestLog(database.config))
    })
    beforeEach(() => open.db.commit({ entries: [], steps: [{ sql: 'DELETE FROM server_keys', params: [] }] }))
    after(() => stack.disposeAsync())
    const test = (title: string, run: (world: KeyWorld, db: Database) => Promise<void>): void =>
      void it(title, () => run(createKeyWorld(), open.db))

    test('asks the owner once, whoever asks at the same time, and keeps what it says', async (world, db) => {
      const a = world.add('a.test')
      const keyring = world.keyring(db)
      const now = world.clock.now()
      const finds = await Promise.all([1, 2, 3].map(() => keyring.load([want(a, now)])))
      for (const find of finds) assert.equal(find(a.name, keyId)?.publicKey, a.signer.publicKey)
      const find = await keyring.load([want(a, now), want(a, now - DAY_MS)])
      assert.equal(find(a.name, keyId)?.expiredTs, undefined)
      const later = await world.keyring(db).load([want(a, now)])
      assert.equal(later(a.name, keyId)?.publicKey, a.signer.publicKey)
      assert.deepEqual(world.asked, ['a.test /_matrix/key/v2/server'])
    })

    test('believes a key for seven days at most, and an old one until it was retired', async (world, db) => {
      const a = world.add('a.test')
      a.own = () =>
        a.document({
          valid_until_ts: world.clock.now() + 1000 * DAY_MS,
          old_verify_keys: { [other]: { key: a.signer.publicKey, expired_ts: 5 } },
        })
      const find = await world.keyring(db).load([want(a, world.clock.now(), [keyId, other])])
      const until = find(a.name, keyId)!.validUntilTs
      assert.ok(Math.abs(until - world.clock.now() - 7 * DAY_MS) < MINUTE_MS)
      assert.equal(find(a.name, other)?.expiredTs, 5)
      assert.equal(find(a.name, 'ed25519:k3' as KeyId), undefined)
    })

    test('fetches anew what is no longer valid when the event is dated, and does not do so over and over', async (world, db) => {
      const a = world.add('a.test')
      const keyring = world.keyring(db)
      await keyring.load([want(a, world.clock.now())])
      world.clock.shift(2 * DAY_MS)
      const past = await keyring.load([want(a, world.clock.now() - 1.5 * DAY_MS)])
      assert.equal(world.asked.length, 1)
      assert.ok(past(a.name, keyId) !== undefined)
      const find = await keyring.load([want(a, world.clock.now())])
      assert.equal(world.asked.length, 2)
      assert.ok(find(a.name, keyId)!.validUntilTs > world.clock.now())
      // Dated far ahead: no key is valid then.
      for (let i = 0; i < 20; i++) await keyring.load([want(a, world.clock.now() + 30 * DAY_MS)])
      assert.equal(world.asked.length, 2)
      a.own = () => a.document({ valid_until_ts: world.clock.now() - 1 })
      world.clock.shift(3 * DAY_MS)
      for (let i = 0; i < 20; i++) await keyring.load([want(a, world.clock.now())])
      assert.equal(world.asked.length, 3)
    })

    test('lets nobody make it ask endlessly for keys that are not there', async (world, db) => {
      const a = world.add('a.test')
      const dead = 'dead.test' as ServerName
      const keyring = world.keyring(db)
      for (let i = 0; i < 60; i++) {
        await keyring.load([want(a, world.clock.now(), [`ed25519:guess${i}` as KeyId])])
        await keyring.load([want(dead, world.clock.now())])
        world.clock.shift(MINUTE_MS)
      }
      const count = (name: string): number => world.asked.filter((one) => one.startsWith(name)).length
      assert.ok(count('a.test') >= 10 && count('a.test') <= 18, `${count('a.test')} of a server that answers`)
      assert.ok(count('dead') >= 4 && count('dead') <= 9, `${count('dead')} of one that does not`)
      // A key that it has taken up since is found after five minutes at most.
      a.own = () =>
        a.document({
          verify_keys: { [keyId]: { key: a.signer.publicKey }, [other]: { key: a.signer.publicKey } },
        })
      world.clock.shift(7 * MINUTE_MS)
      const find = await keyring.load([want(a, world.clock.now(), [other])])
      assert.ok(find(a.name, other) !== undefined)
    })

    test('believes no document that its owner has not signed', async (world, db) => {
      const forgeries: ((a: KeyServer, b: KeyServer) => JsonObject)[] = [
        (_a, b) => b.document(),
        (a, b) => signJson({ ...b.document(), server_name: a.name, signatures: {} }, a.signer),
        (a, b) => ({ ...a.document(), verify_keys: { [keyId]: { key: b.signer.publicKey } } }),
        (a) => ({ ...a.document(), signatures: {} }),
        (a) => ({ ...a.document(), valid_until_ts: 1e15 }),
        (a) => a.document({ valid_until_ts: 'tomorrow' }),
        (a) => a.document({ verify_keys: {} }),
        (a) => a.document({ verify_keys: { [keyId]: { key: 'short' } } }),
        () => ({}),
      ]
      for (const [index, forge] of forgeries.entries()) {
        const [a, b] = [world.add(`a${index}.test`), world.add(`b${index}.test`)]
        a.own = () => forge(a, b)
        const find = await world.keyring(db).load([want(a, world.clock.now())])
        assert.equal(find(a.name, keyId), undefined, String(forge))
      }
    })

    test('asks notaries for what owners do not answer, many servers in one question', async (world, db) => {
      const dead = Array.from({ length: 250 }, (_, i) => world.add(`dead${i}.test`))
      const documents = new Map<string, JsonObject>(dead.map((one) => [one.name, one.document()]))
      for (const one of dead) one.own = undefined
      const silent = world.add('silent.test')
      silent.own = undefined
      const tell = (names: readonly string[]): JsonObject[] =>
        names.map((name) => documents.get(name)).filter((one) => one !== undefined)
      const first = world.addNotary('n1.test', (names) => tell(names.filter((name) => name !== 'dead7.test')))
      const second = world.addNotary('n2.test', tell)
      const keyring = world.keyring(db, [silent, first, second])
      const find = await keyring.load(dead.map((one) => want(one, world.clock.now())))
      for (const one of dead) assert.equal(find(one.name, keyId)?.publicKey, one.signer.publicKey, one.name)
      const queries = world.asked.filter((one) => one.endsWith('/query'))
      const to = (name: string): number => queries.filter((one) => one.startsWith(`${name} `)).length
      assert.ok(to('n1.test') <= 5, `${to('n1.test')} questions`)
      assert.equal(to('n2.test'), 1)
    })

    test('believes a notary only what it has signed, and what the owner has signed', async (world, db) => {
      const dead = world.add('dead.test')
      const liar = world.add('liar.test')
      dead.own = undefined
      const forged = signJson(
        { ...dead.document(), verify_keys: { [keyId]: { key: liar.signer.publicKey } }, signatures: {} },
        { ...liar.signer, serverName: dead.name },
      )
      const answers: readonly (() => JsonObject)[] = [
        () => ({ server_keys: [dead.document()] }),
        () => ({ server_keys: [signJson({ ...dead.document(), valid_until_ts: 1e15 }, liar.signer)] }),
        () => ({ server_keys: [signJson(liar.document(), liar.signer)] }),
        () => ({ server_keys: [null, 5, 'x', {}, []] }),
        () => ({ server_keys: {} }),
        () => ({}),
      ]
      for (const answer of answers) {
        liar.query = answer
        const find = await world.keyring(db, [liar]).load([want(dead, world.clock.now())])
        assert.equal(find(dead.name, keyId), undefined, String(answer))
      }
      // A notary vouches for what it signs, as the specification has it: this one is believed.
      liar.query = () => ({ server_keys: [signJson(forged, liar.signer)] })
      const find = await world.keyring(db, [liar]).load([want(dead, world.clock.now())])
      assert.equal(find(dead.name, keyId)?.publicKey, liar.signer.publicKey)
      // Until the owner answers.
      dead.own = () => dead.document({ valid_until_ts: world.clock.now() + DAY_MS + 5000 })
      world.clock.shift(1.5 * DAY_MS)
      const after = await world.keyring(db, [liar]).load([want(dead, world.clock.now())])
      assert.equal(after(dead.name, keyId)?.publicKey, dead.signer.publicKey)
    })

    test('waits for a server that was silent once or twice, and for no other', async (world, db) => {
      const a = world.add('a.test')
      const tell = (): JsonObject => a.document()
      a.own = undefined
      const keyring = world.keyring(db)
      const ask = (): Promise<unknown> => keyring.load([want(a, world.clock.now())])
      assert.equal(keyring.isAwaited(a.name), false)
      for (const isAwaited of [true, true, false]) {
        await ask()
        assert.equal(keyring.isAwaited(a.name), isAwaited)
        world.clock.shift(MINUTE_MS)
      }
      a.own = tell
      await ask()
      assert.equal(keyring.isAwaited(a.name), false)
      // What answers without the key is not silent.
      await keyring.load([want(a, world.clock.now(), [other])])
      assert.equal(keyring.isAwaited(a.name), false)
    })

    test('gives up when told to, and has its own keys without asking', async (world, db) => {
      const a = world.add('a.test')
      const keyring = world.keyring(db)
      const stop = new AbortController()
      const loading = keyring.load([want(a, world.clock.now())], stop.signal)
      stop.abort(new Error('enough'))
      await assert.rejects(loading, /enough/)
      const find = await keyring.load([want(OWN, 0), want(a, world.clock.now())])
      assert.ok(find(OWN, keyId) !== undefined)
      assert.ok(find(a.name, keyId) !== undefined)
      assert.deepEqual(world.asked, ['a.test /_matrix/key/v2/server'])
    })
  })
}
