import path from 'node:path'
import type { BlobStore } from '@causeway/store/blobs/blob-store.ts'
import { openDiskBlobs } from '@causeway/store/blobs/disk.ts'
import { createMovingBlobs } from '@causeway/store/blobs/moving.ts'
import type { S3Options } from '@causeway/store/blobs/s3-bucket.ts'
import type { Random } from '@causeway/store/clock/clock.ts'
import type { MediaConfig } from '../media-options.ts'

/** In the folder of media, beside what is kept there. */
const SPOOL = 'to-s3'

/** The options of the bucket as the store takes them. */
export function s3OptionsOf(s3: NonNullable<MediaConfig['s3']>): S3Options {
  const { endpoint, region, bucket, prefix, access_key_id: accessKeyId, secret_access_key: secret } = s3
  return {
    region,
    bucket,
    prefix,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(accessKeyId === undefined || secret === undefined
      ? {}
      : { credentials: { accessKeyId, secretAccessKey: secret } }),
  }
}

/** Opens where the bytes of media are kept, and where they were before when they are being moved. */
export async function openBlobs(config: MediaConfig, random: Random): Promise<BlobStore> {
  const store = await openStore(config, config.store, random)
  if (config.move_from === undefined) return store
  return createMovingBlobs(store, await openStore(config, config.move_from, random))
}

async function openStore(
  config: MediaConfig,
  which: MediaConfig['store'],
  random: Random,
): Promise<BlobStore> {
  if (which === 'disk') return openDiskBlobs(config.path, random)
  if (config.s3 === undefined) throw new Error('media.s3 is needed where media.store is s3')
  // Loaded only where it is used.
  const { openS3Blobs } = await import('@causeway/store/blobs/s3.ts')
  return openS3Blobs({ ...s3OptionsOf(config.s3), spool: path.join(config.path, SPOOL) }, random)
}
