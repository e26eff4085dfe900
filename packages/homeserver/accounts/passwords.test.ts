import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { systemRandom } from '@causeway/store/clock/system.ts'
import { createPasswords, passwordCostOf } from './passwords.ts'

const cheap = { memory: 8, passes: 1, parallelism: 1 }

describe('passwords', () => {
  it('are kept as salted Argon2id in PHC form', async () => {
    const passwords = createPasswords(cheap, systemRandom)
    const [one, two] = [await passwords.hash('secret', 'a'), await passwords.hash('secret', 'a')]
    assert.match(one, /^\$argon2id\$v=19\$m=8,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
    assert.notEqual(one, two)
    assert.deepEqual(await passwords.check('secret', one, 'a'), { ok: true, outdated: false })
    assert.deepEqual(await passwords.check('Secret', one, 'a'), { ok: false, outdated: false })
  })
  it('match however their characters are composed', async () => {
    const passwords = createPasswords(cheap, systemRandom)
    const stored = await passwords.hash('\u00fcber', 'a')
    assert.equal((await passwords.check('u\u0308ber', stored, 'a')).ok, true)
  })
  it('are said to be outdated when they were hashed at another cost', async () => {
    const stored = await createPasswords(cheap, systemRandom).hash('secret', 'a')
    const passwords = createPasswords({ ...cheap, passes: 2 }, systemRandom)
    assert.deepEqual(await passwords.check('secret', stored, 'a'), { ok: true, outdated: true })
    assert.deepEqual(await passwords.check('wrong', stored, 'a'), { ok: false, outdated: false })
  })
  it('match nothing that is no hash, not even an empty one', async () => {
    const passwords = createPasswords(cheap, systemRandom)
    for (const stored of ['', 'secret', '$argon2id$v=19$m=8,t=1,p=1$$', '$2b$12$abc']) {
      assert.equal((await passwords.check('', stored, 'a')).ok, false, stored)
      assert.equal((await passwords.check('secret', stored, 'a')).ok, false, stored)
    }
  })
  it('agree with the reference implementation', async () => {
    // From the test vectors of the reference implementation (phc-winner-argon2, test.c): version 0x13,
    // t=2, m=2^16, p=1, "password", "somesalt".
    const stored = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'
    const { ok } = await createPasswords(cheap, systemRandom).check('password', stored, 'a')
    assert.equal(ok, true)
  })
  it('cost what the configuration says, and never less than Argon2 allows', () => {
    const cost = (memory: number) => passwordCostOf({ password_hash: { memory, passes: 2, parallelism: 4 } })
    assert.deepEqual(cost(19 * 1024 * 1024), { memory: 19_456, passes: 2, parallelism: 4 })
    assert.equal(cost(0).memory, 32)
  })
})
