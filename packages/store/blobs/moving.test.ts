import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { startS3, type TestS3 } from '@causeway/testkit/s3-server.ts'
import { systemRandom } from '../clock/system.ts'
import type { BlobStore } from './blob-store.ts'
import { sha256, testBlobStore } from './conformance/blob-store-suite.ts'
import { openDiskBlobs } from './disk.ts'
import { createMovingBlobs } from './moving.ts'
import { openS3Blobs } from './s3.ts'

let server: TestS3
let folder: string
before(async () => {
  server = await startS3()
  folder = await mkdtemp(path.join(tmpdir(), 'moving-'))
})
after(async () => {
  await server[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

const newFolder = (): string => path.join(folder, systemRandom.token(12))
const openDisk = (root = newFolder()): Promise<BlobStore> => openDiskBlobs(root, systemRandom)
const openS3 = (): Promise<BlobStore> =>
  openS3Blobs({ ...server, prefix: `${systemRandom.token(12)}/`, spool: newFolder() }, systemRandom)

testBlobStore('moving from disk to S3', async () => createMovingBlobs(await openS3(), await openDisk()))
testBlobStore('moving from S3 to disk', async () => createMovingBlobs(await openDisk(), await openS3()))

const LIMIT = { maxBytes: 1_000_000 }

async function fill(blobs: BlobStore, texts: readonly string[]): Promise<string[]> {
  const hashes: string[] = []
  for (const text of texts) hashes.push((await blobs.put(Buffer.from(text), LIMIT)).hash)
  return hashes
}

async function hashesOf(blobs: Pick<BlobStore, 'list'>): Promise<string[]> {
  const hashes: string[] = []
  for await (const { hash } of blobs.list()) hashes.push(hash)
  return hashes.toSorted()
}

const textOf = async (blobs: BlobStore, hash: string): Promise<string | undefined> => {
  const opened = await blobs.open(hash)
  return opened && (await buffer(opened.stream)).toString()
}

const names = Array.from({ length: 20 }, (_, i) => `blob ${i}`)

for (const [name, openTo, openFrom] of [
  ['from disk to S3', openS3, openDisk],
  ['from S3 to disk', openDisk, openS3],
] as const) {
  test(`${name}: every blob is there before, while and after it is moved, and then only in the new store`, async () => {
    const [to, from] = [await openTo(), await openFrom()]
    await using both = createMovingBlobs(to, from)
    const hashes = await fill(from, names)
    const [late] = await fill(both, ['put while moving'])
    assert.deepEqual(await hashesOf(to), [late])
    const readAll = async (): Promise<void> => {
      for (const [at, hash] of hashes.entries()) assert.equal(await textOf(both, hash), names[at])
      assert.deepEqual([...new Set(await hashesOf(both))], [...hashes, late!].toSorted())
    }
    await readAll()
    const moves = Promise.all(hashes.map((hash) => both.moving!.move(hash)))
    await Promise.all([moves, readAll(), readAll()])
    assert.deepEqual(
      await moves,
      hashes.map(() => 'moved'),
    )
    await readAll()
    assert.deepEqual(await hashesOf(from), [])
    assert.deepEqual(await hashesOf(to), [...hashes, late!].toSorted())
  })

  test(`${name}: what is deleted does not come back by a move, and is gone from both`, async () => {
    const [to, from] = [await openTo(), await openFrom()]
    await using both = createMovingBlobs(to, from)
    const hashes = await fill(from, names)
    // Some are in both stores: uploaded once more.
    await fill(both, names.slice(0, 5))
    const outcomes = await Promise.all(
      hashes.flatMap((hash, at) =>
        at % 2 === 0
          ? [both.moving!.move(hash), both.delete(hash)]
          : [both.delete(hash), both.moving!.move(hash)],
      ),
    )
    assert.ok(!outcomes.includes('damaged'))
    assert.deepEqual([await hashesOf(to), await hashesOf(from)], [[], []])
  })
}

test('what is damaged stays where it was, and is said to be', async () => {
  const root = newFolder()
  const from = await openDisk(root)
  await using both = createMovingBlobs(await openS3(), from)
  const [changed, longer, sound] = await fill(from, ['one', 'two', 'three'])
  const fileOf = (hash: string): string => path.join(root, hash.slice(0, 2), hash.slice(2, 4), hash)
  await writeFile(fileOf(changed!), 'ONE')
  await writeFile(fileOf(longer!), 'twenty-two')
  const move = (hash: string): Promise<string> => both.moving!.move(hash)
  assert.deepEqual(
    [await move(changed!), await move(longer!), await move(sound!)],
    ['damaged', 'damaged', 'moved'],
  )
  assert.equal(await move(sha256(Buffer.from('never was'))), 'gone')
  assert.deepEqual(await hashesOf(from), [changed!, longer!].toSorted())
})
