import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { systemRandom } from '@causeway/store/clock/system.ts'
import { formatKeyFile, parseKeyFile } from './key-file.ts'
import {
  loadSigningKey,
  loadSigningKeys,
  publicKeyOf,
  rotateSigningKey,
  takeSigningKeys,
} from './signing-key.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'keys-'))
})
after(() => rm(folder, { recursive: true }))

const SEED = Buffer.alloc(32, 7).toString('base64').replace('=', '')

describe('the key file', () => {
  it('is made once, for its owner only, and stays', async () => {
    const file = path.join(folder, 'made.key')
    const made = await loadSigningKey(file, systemRandom)
    assert.deepEqual(await loadSigningKey(file, systemRandom), made)
    assert.equal((await stat(file)).mode & 0o777, 0o600)
  })

  it('is read as other homeservers write it, with several keys', async () => {
    const file = path.join(folder, 'theirs.key')
    await writeFile(file, `ed25519 a_1 ${SEED}\n\n# a comment\ned25519 a_2 ${SEED}=\n`)
    const { keys, old } = await loadSigningKeys(file, systemRandom)
    assert.deepEqual([keys.map(({ keyId }) => keyId), old], [['ed25519:a_1', 'ed25519:a_2'], []])
  })

  it('keeps the key of before when a new one takes its place, from the moment the server starts with it', async () => {
    const file = path.join(folder, 'rotated.key')
    const first = await loadSigningKey(file, systemRandom)
    const secondId = await rotateSigningKey(file, systemRandom)
    // The running server has not looked yet: it goes on signing with the first.
    const waiting = await loadSigningKeys(file, systemRandom)
    assert.equal(waiting.keys[0].keyId, secondId)
    assert.deepEqual(waiting.old, [
      { keyId: first.keyId, publicKey: publicKeyOf(first), expiredTs: undefined },
    ])
    const taken = await takeSigningKeys(file, systemRandom, 1234)
    assert.deepEqual(taken.old, [{ keyId: first.keyId, publicKey: publicKeyOf(first), expiredTs: 1234 }])
    assert.deepEqual(await takeSigningKeys(file, systemRandom, 9999), taken)
    await rotateSigningKey(file, systemRandom)
    const third = await takeSigningKeys(file, systemRandom, 5678)
    assert.deepEqual(
      third.old.map(({ keyId, expiredTs }) => [keyId, expiredTs]),
      [
        [secondId, 5678],
        [first.keyId, 1234],
      ],
    )
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    assert.doesNotMatch(
      await readFile(file, 'utf8'),
      new RegExp(Buffer.from(first.seed).toString('base64').slice(0, 40).replace(/[+/]/g, '\\$&')),
    )
  })

  it('reads what it writes, and nothing else', () => {
    const text = `ed25519 a ${SEED}\nold ed25519 b ${SEED} 17\nold ed25519 c ${SEED} until-restart\n`
    const file = parseKeyFile(text)
    assert.ok(typeof file !== 'string')
    assert.equal(formatKeyFile(file), text)
    for (const wrong of [
      '',
      '\n',
      'x',
      `ed25519 a! ${SEED}`,
      'ed25519 a short',
      `old ed25519 b ${SEED} 17`,
      `ed25519 a ${SEED}\nold ed25519 a ${SEED} 1`,
      `ed25519 a ${SEED}\nold ed25519 b ${SEED} yesterday`,
    ]) {
      assert.equal(typeof parseKeyFile(wrong), 'string', wrong)
    }
  })
})
