import { createHash, randomUUID } from 'node:crypto'
import { mkdir, rename, unlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'

// Runs s3rver (the fork that is looked after) on a port of loopback, and prints the port. Needs --openssl-legacy-provider: its tokens for the next
// page of a list are made with DES.
//   argv: folder, port (0: any), bucket

interface S3Object {
  readonly bucket: string
  readonly key: string
  readonly content: Buffer | Readable
  readonly metadata: unknown
}

interface Stored {
  readonly size: number
  readonly md5: string
}

interface Store {
  getResourcePath(bucket: string, key: string | undefined, resource: string): string
  putMetadata(bucket: string, key: string, metadata: unknown, md5: string): Promise<void>
  putObject(object: S3Object): Promise<Stored>
  putPart(bucket: string, uploadId: string, part: number, content: Readable): Promise<Stored>
  deleteObject(bucket: string, key: string): Promise<void>
}

interface S3rver {
  readonly store: Store
  run(): Promise<{ readonly port: number }>
}

const [folder = '', port = '0', bucket = ''] = process.argv.slice(2)
const load = createRequire(import.meta.url)
const S3rver = load('@20minutes/s3rver') as new (options: object) => S3rver
const server = new S3rver({
  directory: folder,
  address: '127.0.0.1',
  port: Number(port),
  silent: true,
  // What it computes for requests about the bucket itself is not what Amazon's library signs.
  allowMismatchedSignatures: true,
  configureBuckets: [{ name: bucket }],
})
const { store } = server

/** Under its name only when it is whole. */
async function writeWhole(file: string, content: Buffer | Readable): Promise<Stored> {
  const bytes = Buffer.isBuffer(content) ? content : await buffer(content)
  await mkdir(path.dirname(file), { recursive: true })
  const unfinished = `${file}.${randomUUID()}`
  await writeFile(unfinished, bytes)
  await rename(unfinished, file)
  return { size: bytes.length, md5: createHash('md5').update(bytes).digest('hex') }
}

// Its own ways answer before the bytes are in the file, and remove folders that another request is about to write to:
// no real service does either.
store.putObject = async ({ bucket: into, key, content, metadata }) => {
  const stored = await writeWhole(store.getResourcePath(into, key, 'object'), content)
  await store.putMetadata(into, key, metadata, stored.md5)
  return stored
}
store.putPart = async (into, uploadId, part, content) => {
  const file = path.join(store.getResourcePath(into, undefined, 'uploads'), uploadId, String(part))
  const stored = await writeWhole(file, content)
  await writeFile(`${file}.md5`, stored.md5)
  return stored
}
store.deleteObject = async (from, key) => {
  for (const resource of ['object', 'object.md5', 'metadata.json']) {
    await unlink(store.getResourcePath(from, key, resource)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
  }
}

const address = await server.run()
process.stdout.write(`${address.port}\n`)
