import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { buffer } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { namedS3, startS3, type TestBucket, type TestS3 } from '@causeway/testkit/s3-server.ts'
import { systemRandom } from '../clock/system.ts'
import type { BlobStore } from './blob-store.ts'
import { sha256, testBlobStore } from './conformance/blob-store-suite.ts'
import { openS3Bucket } from './s3-bucket.ts'
import { openS3Blobs, type S3BlobsOptions } from './s3.ts'

let server: TestS3
let folder: string
before(async () => {
  server = await startS3()
  folder = await mkdtemp(path.join(tmpdir(), 's3-blobs-'))
})
after(async () => {
  await server[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

const LIMIT = { maxBytes: 100_000_000 }
const MIB = 1024 * 1024

function optionsFor(where: TestBucket, more: Partial<S3BlobsOptions> = {}): S3BlobsOptions {
  const { endpoint, region, bucket, credentials } = where
  const name = systemRandom.token(12)
  const spool = path.join(folder, name)
  return { endpoint, region, bucket, credentials, prefix: `test/${name}/`, spool, ...more }
}

const openEmpty = (): Promise<BlobStore> => openS3Blobs(optionsFor(server), systemRandom)

testBlobStore('S3', openEmpty)
// What the suite calls large goes in several parts; real services take none so small.
testBlobStore('S3 in parts', () => openS3Blobs(optionsFor(server, { partBytes: 1_000_000 }), systemRandom))

const named = namedS3()
if ('skip' in named) test('any other S3', { skip: named.skip }, () => undefined)
else {
  testBlobStore('the S3 of CAUSEWAY_TEST_S3_*', async () => {
    const blobs = await openS3Blobs(optionsFor(named), systemRandom)
    const close = blobs[Symbol.asyncDispose].bind(blobs)
    blobs[Symbol.asyncDispose] = async () => {
      for await (const { hash } of blobs.list()) await blobs.delete(hash)
      await close()
    }
    return blobs
  })
}

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

test('a large blob goes in parts, of which few are in memory, and comes back whole or in stretches', async () => {
  const options = optionsFor(server)
  await using blobs = await openS3Blobs(options, systemRandom)
  const bytes = Buffer.alloc(20 * MIB + 7)
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(at, Math.min(at, bytes.length - 4))
  const info = await blobs.put(inPieces(bytes), LIMIT)
  assert.deepEqual(info, { hash: sha256(bytes), size: bytes.length })
  assert.equal(sha256(await buffer((await blobs.open(info.hash))!.stream)), info.hash)
  const [start, end] = [8 * MIB - 5, 16 * MIB + 5]
  const opened = (await blobs.open(info.hash, { start, end }))!
  assert.equal(opened.size, bytes.length)
  assert.ok((await buffer(opened.stream)).equals(bytes.subarray(start, end)))
  assert.deepEqual(await readdir(options.spool), [])
})

test('a list of many pages is complete, and what lies beside the prefix is neither listed nor touched', async () => {
  const options = optionsFor(server, { pageSize: 7 })
  await using blobs = await openS3Blobs(options, systemRandom)
  using bucket = await openS3Bucket({ ...options, prefix: '' })
  const beside = `${options.prefix.slice(0, -1)}-beside/${'a'.repeat(64)}`
  await bucket.put(beside, Buffer.from('mine'))
  await bucket.put(`${options.prefix}notes.txt`, Buffer.from('no blob'))
  const expected = new Set<string>()
  for (let i = 0; i < 40; i++) expected.add((await blobs.put(Buffer.from(`${i}`), LIMIT)).hash)
  for await (const { hash } of blobs.list())
    assert.ok(expected.delete(hash), `${hash} was not put, or came twice`)
  assert.equal(expected.size, 0)
  assert.ok((await bucket.head(beside)) !== undefined)
})

test('nothing is acknowledged that the service has not stored, and a service that comes back is used again', async () => {
  await using own = await startS3()
  const options = optionsFor(own)
  await using blobs = await openS3Blobs(options, systemRandom)
  const kept = await blobs.put(Buffer.from('before'), LIMIT)
  async function* dying(): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(MIB)
    await own.kill()
    yield Buffer.alloc(MIB)
  }
  await assert.rejects(blobs.put(dying(), LIMIT), { name: 'BlobStoreFailed' })
  await assert.rejects(
    blobs.put(Buffer.from('small'), LIMIT),
    /S3, bucket media, putting an object: .*ECONNREFUSED/,
  )
  await assert.rejects(blobs.open(kept.hash), { name: 'BlobStoreFailed' })
  await assert.rejects(blobs.stat(kept.hash), { name: 'BlobStoreFailed' })
  await assert.rejects(blobs.delete(kept.hash), { name: 'BlobStoreFailed' })
  assert.deepEqual(await readdir(options.spool), [])
  await own.restart()
  assert.equal((await buffer((await blobs.open(kept.hash))!.stream)).toString(), 'before')
  const hashes: string[] = []
  for await (const { hash } of blobs.list()) hashes.push(hash)
  assert.deepEqual(hashes, [kept.hash])
  await blobs.put(Buffer.from('after'), LIMIT)
})

test('what is refused says which bucket and why', async () => {
  await using none = await openS3Blobs(optionsFor(server, { bucket: 'no-such-bucket' }), systemRandom)
  const said = /S3, bucket no-such-bucket, .*NoSuchBucket/
  await assert.rejects(none.put(Buffer.from('x'), LIMIT), said)
  await assert.rejects(none.open('a'.repeat(64)), said)
  const credentials = { accessKeyId: 'nobody', secretAccessKey: 'S3RVER' }
  await using stranger = await openS3Blobs(optionsFor(server, { credentials }), systemRandom)
  await assert.rejects(stranger.put(Buffer.from('x'), LIMIT), /S3, bucket media, .*403 InvalidAccessKeyId/)
})

test('after kill -9 every acknowledged blob is whole, and start-up removes what was on its way', async () => {
  const options = optionsFor(server, { partBytes: 5 * MIB })
  const writer = fileURLToPath(new URL('./s3-crash-child.ts', import.meta.url))
  const child = spawn(process.execPath, [writer, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const acknowledged: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(line)
    if (acknowledged.length === 5) child.kill('SIGKILL')
  }
  assert.ok(acknowledged.length >= 5)
  await writeFile(path.join(options.spool, 'left-over'), 'half of a picture')
  await using blobs = await openS3Blobs(options, systemRandom)
  assert.deepEqual(await readdir(options.spool), [])
  const listed = new Set<string>()
  for await (const { hash } of blobs.list()) {
    listed.add(hash)
    assert.equal(sha256(await buffer((await blobs.open(hash))!.stream)), hash)
  }
  for (const hash of acknowledged) assert.ok(listed.has(hash), `${hash} is missing`)
})
