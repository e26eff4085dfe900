import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** A bucket that blobs can be put into. */
export interface TestBucket {
  readonly endpoint: string
  readonly region: string
  readonly bucket: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

/** An S3 server (s3rver) with one bucket, on loopback. Disposing it ends the process and removes its folder. */
export interface TestS3 extends TestBucket, AsyncDisposable {
  /** Ends it in the middle of whatever it does; what it has stored stays. */
  kill(): Promise<void>
  /** Starts it once more, on the same port. */
  restart(): Promise<void>
}

const CHILD = fileURLToPath(new URL('./s3rver-child.ts', import.meta.url))
const BUCKET = 'media'

async function startChild(folder: string, port: number): Promise<{ child: ChildProcess; port: number }> {
  const argv = ['--openssl-legacy-provider', CHILD, folder, String(port), BUCKET]
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close').then(([code]) => {
    throw new Error(`s3rver ended with ${code}`)
  })
  ended.catch(() => undefined)
  const line = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>
  const [told] = await Promise.race([line, ended])
  return { child, port: Number(told) }
}

/** Starts an S3 server on a port that the system chose. */
export async function startS3(): Promise<TestS3> {
  const folder = await mkdtemp(path.join(tmpdir(), 'causeway-s3-'))
  const started = await startChild(folder, 0)
  const { port } = started
  let { child } = started
  const reap = (): void => void child.kill('SIGKILL')
  process.on('exit', reap)
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    reap()
    await exited
  }
  return {
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    bucket: BUCKET,
    credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
    kill,
    restart: async () => {
      await kill()
      ;({ child } = await startChild(folder, port))
    },
    async [Symbol.asyncDispose]() {
      await kill()
      process.off('exit', reap)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/**
 * Any other S3 that the environment names: `CAUSEWAY_TEST_S3_ENDPOINT`, `_BUCKET`, `_ACCESS_KEY_ID`,
 * `_SECRET_ACCESS_KEY`, and `_REGION` (us-east-1). Tests write below a prefix of their own, and remove it.
 */
export function namedS3(): TestBucket | { readonly skip: string } {
  const read = (name: string): string | undefined => process.env[`CAUSEWAY_TEST_S3_${name}`]
  const [endpoint, bucket] = [read('ENDPOINT'), read('BUCKET')]
  const [accessKeyId, secretAccessKey] = [read('ACCESS_KEY_ID'), read('SECRET_ACCESS_KEY')]
  if (!endpoint || !bucket || !accessKeyId || !secretAccessKey) {
    return {
      skip: 'no other S3 is named: CAUSEWAY_TEST_S3_ENDPOINT, _BUCKET, _ACCESS_KEY_ID, _SECRET_ACCESS_KEY',
    }
  }
  return {
    endpoint,
    bucket,
    region: read('REGION') ?? 'us-east-1',
    credentials: { accessKeyId, secretAccessKey },
  }
}
