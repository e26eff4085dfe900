import type { HomeserverConfig } from '@causeway/homeserver/config.ts'
import { s3OptionsOf } from '@causeway/homeserver/media/open-blobs.ts'
import { BlobStoreFailed } from '@causeway/store/blobs/blob-store.ts'
import { openS3Bucket, type S3Bucket } from '@causeway/store/blobs/s3-bucket.ts'
import type { Random } from '@causeway/store/clock/clock.ts'
import { buffer } from 'node:stream/consumers'
import { fail, ok, type Finding } from './finding.ts'

const TEXT = 'written by causeway doctor'

/** Writes, reads, lists and deletes an object, as the server does. The server may be running meanwhile. */
async function tryBucket(bucket: S3Bucket, name: string): Promise<void> {
  await bucket.put(name, Buffer.from(TEXT))
  const opened = await bucket.get(name, { start: 0, end: TEXT.length })
  const read = opened === undefined || opened === 'beyond' ? '' : (await buffer(opened.stream)).toString()
  if (read !== TEXT) throw new BlobStoreFailed('what was written does not come back')
  const one = await bucket.list()[Symbol.asyncIterator]().next()
  if (one.done === true) throw new BlobStoreFailed('what was written is not listed')
  await bucket.delete(name)
}

/** Whether the bucket for media does what the server needs. Nothing is asked where media is on disk. */
export async function checkMedia(
  { media }: Pick<HomeserverConfig, 'media'>,
  random: Pick<Random, 'token'>,
): Promise<Finding[]> {
  if (media.s3 === undefined || (media.store !== 's3' && media.move_from !== 's3')) return []
  const where = `${media.s3.bucket} at ${media.s3.endpoint ?? `Amazon, ${media.s3.region}`}`
  using bucket = await openS3Bucket(s3OptionsOf(media.s3))
  try {
    await tryBucket(bucket, `doctor-${random.token(12)}`)
    return [ok(`Media: the bucket ${where} can be written, read and listed`)]
  } catch (error) {
    if (!(error instanceof BlobStoreFailed)) throw error
    return [
      fail(`Media: ${error.message}`, [
        `It should be the bucket ${where}: media.s3 in the configuration.`,
        'The key needs s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucket there.',
      ]),
    ]
  }
}
