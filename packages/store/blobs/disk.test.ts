import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { systemRandom } from '../clock/system.ts'
import { sha256, testBlobStore } from './conformance/blob-store-suite.ts'
import { openDiskBlobs } from './disk.ts'

const folders: string[] = []
async function newFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'blobs-'))
  folders.push(folder)
  return folder
}
after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))))

testBlobStore('disk', async () => openDiskBlobs(path.join(await newFolder(), 'new', 'media'), systemRandom))

test('a blob lies two folders deep under its hash, for its owner only', async () => {
  const root = await newFolder()
  await using blobs = await openDiskBlobs(root, systemRandom)
  const { hash } = await blobs.put(Buffer.from('here'), { maxBytes: 10 })
  const file = path.join(root, hash.slice(0, 2), hash.slice(2, 4), hash)
  assert.equal(await readFile(file, 'utf8'), 'here')
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  await assert.rejects(blobs.put(Buffer.from('too much'), { maxBytes: 3 }), { name: 'BlobTooLarge' })
  assert.deepEqual(await readdir(path.join(root, 'tmp')), [])
})

test('files that are no blobs are neither listed nor touched', async () => {
  const root = await newFolder()
  await mkdir(path.join(root, 'ab', 'cd'), { recursive: true })
  await writeFile(path.join(root, 'ab', 'cd', 'notes.txt'), 'mine')
  await writeFile(path.join(root, 'ab', 'cd', 'f'.repeat(64)), 'in the wrong folder')
  await writeFile(path.join(root, 'README'), 'mine')
  await using blobs = await openDiskBlobs(root, systemRandom)
  for await (const blob of blobs.list()) assert.fail(`${blob.hash} was listed`)
  assert.equal(await readFile(path.join(root, 'README'), 'utf8'), 'mine')
})

const WRITER = `
  import { openDiskBlobs } from ${JSON.stringify(new URL('./disk.ts', import.meta.url).href)}
  import { systemRandom } from ${JSON.stringify(new URL('../clock/system.ts', import.meta.url).href)}
  const blobs = await openDiskBlobs(process.argv[1], systemRandom)
  for (let i = 0; ; i++) {
    const put = blobs.put((async function* () {
      for (let n = 0; n < 20; n++) { yield Buffer.from(i + ':' + 'x'.repeat(20_000)); await null }
    })(), { maxBytes: 1e9 })
    const { hash } = await put
    process.stdout.write(hash + '\\n')
  }
`

test('after kill -9 every acknowledged blob is whole, and start-up removes what was unfinished', async () => {
  const root = await newFolder()
  const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, root], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (text: Buffer) => {
    output += text.toString()
    if (output.split('\n').length > 6) child.kill('SIGKILL')
  })
  await once(child, 'close')
  const acknowledged = output.split('\n').slice(0, -1)
  assert.ok(acknowledged.length >= 6)
  await writeFile(path.join(root, 'tmp', 'left-over'), 'half of a picture')
  await using blobs = await openDiskBlobs(root, systemRandom)
  assert.deepEqual(await readdir(path.join(root, 'tmp')), [])
  const listed = new Set<string>()
  for await (const { hash } of blobs.list()) {
    listed.add(hash)
    assert.equal(sha256(await readFile(path.join(root, hash.slice(0, 2), hash.slice(2, 4), hash))), hash)
  }
  for (const hash of acknowledged) assert.ok(listed.has(hash), `${hash} is missing`)
})
