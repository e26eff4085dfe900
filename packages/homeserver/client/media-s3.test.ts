import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import sharp from 'sharp'
import type { Mxc } from '@causeway/matrix/ids/ids.ts'
import { splitMxc } from '@causeway/matrix/ids/mxc.ts'
import { startS3, type TestS3 } from '@causeway/testkit/s3-server.ts'
import type { DispatchResponse } from '../http/dispatch.ts'
import { deleteMedia } from '../media/delete-media.ts'
import { findServerDrivers, testConfig, type ServerDriver } from '../test-server.ts'
import { openTestPeople, type TestPeople } from './test-people.ts'

let s3: TestS3
let folder: string
before(async () => {
  s3 = await startS3()
  folder = await mkdtemp(path.join(tmpdir(), 'media-s3-'))
})
after(async () => {
  await s3[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

function openOnS3(driver: ServerDriver): Promise<TestPeople> {
  const { endpoint, region, bucket, credentials } = s3
  const { media, log } = testConfig(folder, {})
  return openTestPeople(driver, {
    media: {
      ...media,
      store: 's3',
      s3: {
        endpoint,
        region,
        bucket,
        prefix: `${driver.name}/`,
        access_key_id: credentials.accessKeyId,
        secret_access_key: credentials.secretAccessKey,
      },
    },
    // The store fails here on purpose.
    log,
  })
}

function upload(server: TestPeople, body: Uint8Array): Promise<DispatchResponse> {
  const headers = { 'content-type': 'image/png' }
  return server.send('alice', { method: 'POST', url: '/_matrix/media/v3/upload', headers, body })
}

function fetchMedia(
  server: TestPeople,
  what: 'download' | 'thumbnail',
  mxc: Mxc,
  more: { query?: string; range?: string } = {},
): Promise<DispatchResponse> {
  const { serverName, mediaId } = splitMxc(mxc)
  return server.send('bob', {
    method: 'GET',
    url: `/_matrix/client/v1/media/${what}/${serverName}/${mediaId}${more.query ?? ''}`,
    headers: more.range === undefined ? {} : { range: more.range },
  })
}

for (const driver of await findServerDrivers()) {
  describe(`media in an S3 bucket, on ${driver.name}`, { skip: driver.skip }, () => {
    it('goes up, comes down whole, in stretches and as thumbnails, and is gone when it is deleted', async () => {
      await using server = await openOnS3(driver)
      const image = sharp({ create: { width: 400, height: 400, channels: 3, background: '#069' } })
      const bytes = await image.png({ compressionLevel: 0 }).toBuffer()
      const mxc = (await upload(server, bytes)).json()['content_uri'] as Mxc
      assert.ok(Buffer.from((await fetchMedia(server, 'download', mxc)).bytes).equals(bytes))
      const part = await fetchMedia(server, 'download', mxc, { range: 'bytes=100-199' })
      assert.equal(part.status, 206)
      assert.equal(part.headers['content-range'], `bytes 100-199/${bytes.length}`)
      assert.ok(Buffer.from(part.bytes).equals(bytes.subarray(100, 200)))
      const small = await fetchMedia(server, 'thumbnail', mxc, { query: '?width=96&height=96&method=crop' })
      assert.equal((await sharp(small.bytes).metadata()).width, 96)
      assert.deepEqual(await readdir(folder + '/media/to-s3'), [])
      await deleteMedia(server.hs, splitMxc(mxc).mediaId)
      assert.equal((await fetchMedia(server, 'download', mxc)).status, 404)
      for await (const { hash } of server.hs.blobs.list()) assert.fail(`${hash} is left`)
    })

    it('is refused with 503 while the bucket does not answer, and nothing is acknowledged', async () => {
      await using server = await openOnS3(driver)
      const bytes = Buffer.from('kept')
      const mxc = (await upload(server, bytes)).json()['content_uri'] as Mxc
      await s3.kill()
      try {
        for (const answer of [
          await upload(server, Buffer.from('lost')),
          await fetchMedia(server, 'download', mxc),
        ]) {
          assert.equal(answer.status, 503)
          assert.equal(answer.json()['errcode'], 'M_UNKNOWN')
        }
      } finally {
        await s3.restart()
      }
      assert.ok(Buffer.from((await fetchMedia(server, 'download', mxc)).bytes).equals(bytes))
      const rows = await server.hs.db.query('SELECT media_id FROM media', [])
      assert.equal(rows.length, 1)
    })
  })
}
