import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { HomeserverConfig } from '@causeway/homeserver/config.ts'
import { testConfig } from '@causeway/homeserver/test-server.ts'
import { openS3Bucket } from '@causeway/store/blobs/s3-bucket.ts'
import { systemRandom } from '@causeway/store/clock/system.ts'
import { startS3, type TestS3 } from '@causeway/testkit/s3-server.ts'
import { checkMedia } from './check-media.ts'
import type { Finding } from './finding.ts'

let server: TestS3
before(async () => {
  server = await startS3()
})
after(() => server[Symbol.asyncDispose]())

function check(more: Partial<NonNullable<HomeserverConfig['media']['s3']>>): Promise<Finding[]> {
  const { media } = testConfig('/nonexistent', {})
  const { endpoint, region, bucket, credentials } = server
  const { accessKeyId, secretAccessKey } = credentials
  const s3 = {
    endpoint,
    region,
    bucket,
    prefix: 'm/',
    access_key_id: accessKeyId,
    secret_access_key: secretAccessKey,
  }
  return checkMedia({ media: { ...media, store: 's3', s3: { ...s3, ...more } } }, systemRandom)
}

test('a bucket that works is found good, and nothing is left in it', async () => {
  const [finding, ...others] = await check({})
  assert.deepEqual(others, [])
  assert.equal(finding!.level, 'ok')
  assert.match(finding!.text, /^Media: the bucket media at http:\/\/127\.0\.0\.1:\d+ can be written/)
  using bucket = await openS3Bucket({ ...server, prefix: '' })
  for await (const { name } of bucket.list()) assert.fail(`${name} is left`)
})

test('a bucket that is not there, a key that is not known and a service that is not running are told apart', async () => {
  for (const [more, said] of [
    [{ bucket: 'no-such-bucket' }, /NoSuchBucket/],
    [{ access_key_id: 'nobody' }, /InvalidAccessKeyId/],
    [{ endpoint: 'http://127.0.0.1:1' }, /ECONNREFUSED/],
  ] as const) {
    const [finding] = await check(more)
    assert.equal(finding!.level, 'fail')
    assert.match(finding!.text, said)
    assert.match(finding!.advice!.join('\n'), /s3:GetObject/)
  }
})

test('media on disk is not asked about', async () => {
  assert.deepEqual(await checkMedia(testConfig('/nonexistent', {}), systemRandom), [])
})
