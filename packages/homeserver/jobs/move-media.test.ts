import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Mxc } from '@causeway/matrix/ids/ids.ts'
import { splitMxc } from '@causeway/matrix/ids/mxc.ts'
import type { BlobStore } from '@causeway/store/blobs/blob-store.ts'
import { findJob } from '@causeway/store/tables/jobs.ts'
import { startS3 } from '@causeway/testkit/s3-server.ts'
import { clientRoutes } from '../client/routes.ts'
import { findServerDrivers, type TestServer } from '../test-server.ts'
import { moveMedia } from './move-media.ts'

async function countBlobs(blobs: Pick<BlobStore, 'list'> | undefined): Promise<number> {
  let count = 0
  for await (const { size } of blobs?.list() ?? []) if (size > 0) count++
  return count
}

for (const driver of await findServerDrivers()) {
  describe(`moving media on ${driver.name}`, { skip: driver.skip }, () => {
    it('goes on where it was interrupted, while everything can be read and uploaded', async () => {
      await using s3 = await startS3()
      let server = await driver.start({ endpoints: clientRoutes })
      try {
        await assert.rejects(moveMedia(server.hs), /media\.move_from/)
        const { token } = await server.register('alice')
        const uploaded: Mxc[] = []
        const upload = async (at: number): Promise<void> => {
          const body = Buffer.from(`file ${at}`) as never
          const answer = await server.request('POST', '/_matrix/media/v3/upload', { token, body })
          uploaded[at] = answer.json()['content_uri'] as Mxc
        }
        const checkAll = async (on: TestServer): Promise<void> => {
          for (const [at, mxc] of uploaded.entries()) {
            const { serverName, mediaId } = splitMxc(mxc)
            const path = `/_matrix/client/v1/media/download/${serverName}/${mediaId}`
            const answer = await on.request('GET', path, { token })
            assert.equal(Buffer.from(answer.bytes).toString(), `file ${at}`)
          }
        }
        Object.assign(server.hs.config.media, { max_upload_size: 1_000 })
        for (let at = 0; at < 50; at++) await upload(at)
        // Another configuration, and the server started anew.
        const { endpoint, region, bucket, credentials } = s3
        Object.assign(server.hs.config.media, {
          store: 's3',
          move_from: 'disk',
          s3: {
            endpoint,
            region,
            bucket,
            prefix: '',
            access_key_id: credentials.accessKeyId,
            secret_access_key: credentials.secretAccessKey,
          },
        })
        server = await server.restart()
        assert.equal(await countBlobs(server.hs.blobs.moving), 50)
        await checkAll(server)
        const { id } = await moveMedia(server.hs)
        assert.equal((await moveMedia(server.hs)).id, id)
        // The server stops after the first portion at the latest, and takes the job up again.
        server = await server.restart()
        server.hs.jobs.wake()
        await upload(50)
        await checkAll(server)
        await server.hs.jobs.idle()
        const job = (await findJob(server.hs.db, id))!
        assert.deepEqual([job.error, job.finishedTs > 0], ['', true])
        assert.equal(await countBlobs(server.hs.blobs.moving), 0)
        await checkAll(server)
        Object.assign(server.hs.config.media, { move_from: undefined })
        server = await server.restart()
        assert.equal(server.hs.blobs.moving, undefined)
        assert.equal(await countBlobs(server.hs.blobs), 51)
        await checkAll(server)
      } finally {
        await server[Symbol.asyncDispose]()
      }
    })
  })
}
