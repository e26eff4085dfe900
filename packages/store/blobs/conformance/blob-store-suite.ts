import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import type { BlobStore, ByteRange, StoredBlob } from '../blob-store.ts'

const LIMIT = { maxBytes: 10_000_000 }

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const textBytes = (text: string): Uint8Array => new TextEncoder().encode(text)

async function readBlob(blobs: BlobStore, hash: string, range?: ByteRange): Promise<string | undefined> {
  const opened = await blobs.open(hash, range)
  return opened && (await buffer(opened.stream)).toString('utf8')
}

async function listAll(blobs: BlobStore): Promise<StoredBlob[]> {
  const found: StoredBlob[] = []
  for await (const blob of blobs.list()) found.push(blob)
  return found
}

/**
 * What every blob store must do (law 9).
 * @param openEmpty an empty store; the tests dispose of it
 */
export function testBlobStore(name: string, openEmpty: () => Promise<BlobStore>): void {
  test(`${name}: bytes come back under the hash of what they are`, async () => {
    await using blobs = await openEmpty()
    const bytes = textBytes('a picture')
    const info = await blobs.put(bytes, LIMIT)
    assert.deepEqual(info, { hash: sha256(bytes), size: 9 })
    assert.equal(await readBlob(blobs, info.hash), 'a picture')
    const { storedTs, ...known } = (await blobs.stat(info.hash))!
    assert.deepEqual(known, info)
    assert.ok(Number.isSafeInteger(storedTs) && storedTs > 1_500_000_000_000)
  })

  test(`${name}: a stream of many pieces is one blob`, async () => {
    await using blobs = await openEmpty()
    const pieces = Array.from({ length: 300 }, (_, i) => new Uint8Array(7000).fill(i))
    const whole = Buffer.concat(pieces)
    async function* source(): AsyncGenerator<Uint8Array> {
      yield* pieces
    }
    const info = await blobs.put(source(), LIMIT)
    assert.deepEqual(info, { hash: sha256(whole), size: whole.length })
    const opened = await blobs.open(info.hash)
    assert.equal(opened!.size, whole.length)
    assert.ok((await buffer(opened!.stream)).equals(whole))
  })

  test(`${name}: an empty blob is a blob`, async () => {
    await using blobs = await openEmpty()
    const { hash } = await blobs.put(new Uint8Array(), { maxBytes: 0 })
    assert.equal(await readBlob(blobs, hash), '')
    assert.equal((await blobs.stat(hash))!.size, 0)
  })

  test(`${name}: a range is the bytes from start up to but without end`, async () => {
    await using blobs = await openEmpty()
    const { hash } = await blobs.put(textBytes('0123456789'), LIMIT)
    assert.equal(await readBlob(blobs, hash, { start: 2, end: 5 }), '234')
    assert.equal(await readBlob(blobs, hash, { start: 0, end: 10 }), '0123456789')
    assert.equal(await readBlob(blobs, hash, { start: 9, end: 10 }), '9')
    assert.equal(await readBlob(blobs, hash, { start: 4, end: 4 }), '')
    assert.equal((await blobs.open(hash, { start: 4, end: 4 }))!.size, 10)
    for (const [start, end] of [
      [5, 11],
      [-1, 3],
      [6, 5],
      [0.5, 3],
      [Number.NaN, 3],
    ] as const) {
      await assert.rejects(blobs.open(hash, { start, end }), RangeError)
    }
  })

  test(`${name}: more than maxBytes is refused, exactly maxBytes is not, and nothing is left of it`, async () => {
    await using blobs = await openEmpty()
    let asked = 0
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) yield new Uint8Array(1000).fill(++asked)
    }
    await assert.rejects(blobs.put(endless(), { maxBytes: 10_000 }), { name: 'BlobTooLarge' })
    assert.equal(asked, 11)
    await assert.rejects(blobs.put(new Uint8Array(11), { maxBytes: 10 }), { name: 'BlobTooLarge' })
    assert.deepEqual(await listAll(blobs), [])
    assert.equal((await blobs.put(new Uint8Array(10), { maxBytes: 10 })).size, 10)
  })

  test(`${name}: a source that fails leaves nothing and its error is the caller's`, async () => {
    await using blobs = await openEmpty()
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(1000)
      throw new Error('the client hung up')
    }
    await assert.rejects(blobs.put(broken(), LIMIT), /hung up/)
    assert.deepEqual(await listAll(blobs), [])
  })

  test(`${name}: equal bytes are kept once, also when they come at the same time`, async () => {
    await using blobs = await openEmpty()
    const bytes = textBytes('the same')
    const infos = await Promise.all(Array.from({ length: 8 }, () => blobs.put(bytes, LIMIT)))
    assert.equal(new Set(infos.map((info) => info.hash)).size, 1)
    assert.equal((await listAll(blobs)).length, 1)
    assert.equal(await readBlob(blobs, sha256(bytes)), 'the same')
  })

  test(`${name}: a deleted blob is gone, can be put again, and deleting nothing says so`, async () => {
    await using blobs = await openEmpty()
    const { hash } = await blobs.put(textBytes('spam'), LIMIT)
    assert.equal(await blobs.delete(hash), true)
    assert.equal(await blobs.delete(hash), false)
    assert.equal(await blobs.open(hash), undefined)
    assert.equal(await blobs.stat(hash), undefined)
    await blobs.put(textBytes('spam'), LIMIT)
    assert.equal(await readBlob(blobs, hash), 'spam')
  })

  test(`${name}: a blob that is being read while it is deleted is read to its end`, async () => {
    await using blobs = await openEmpty()
    const bytes = new Uint8Array(3_000_000).fill(7)
    const { hash } = await blobs.put(bytes, LIMIT)
    const opened = await blobs.open(hash)
    await blobs.delete(hash)
    assert.equal(sha256(await buffer(opened!.stream)), hash)
  })

  test(`${name}: the list is complete`, async () => {
    await using blobs = await openEmpty()
    const expected = new Set<string>()
    for (let i = 0; i < 40; i++) expected.add((await blobs.put(textBytes(`number ${i}`), LIMIT)).hash)
    const found = await listAll(blobs)
    assert.deepEqual(new Set(found.map((blob) => blob.hash)), expected)
    assert.deepEqual(found[0], await blobs.stat(found[0]!.hash))
  })

  test(`${name}: names that are no hash are refused by every operation`, async () => {
    await using blobs = await openEmpty()
    const { hash } = await blobs.put(textBytes('secret'), LIMIT)
    const bad = [
      '',
      '..',
      '../../etc/passwd',
      `../${hash}`,
      `${hash}/..`,
      hash.toUpperCase(),
      `${hash}\u0000`,
      `${hash}\n`,
      hash.slice(1),
    ]
    for (const name of bad) {
      await assert.rejects(blobs.open(name), { name: 'InvalidBlobHash' })
      await assert.rejects(blobs.stat(name), { name: 'InvalidBlobHash' })
      await assert.rejects(blobs.delete(name), { name: 'InvalidBlobHash' })
    }
  })
}
