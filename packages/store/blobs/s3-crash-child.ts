import { systemRandom } from '../clock/system.ts'
import { openS3Blobs, type S3BlobsOptions } from './s3.ts'

// Puts blobs of one and of several parts in turn, and prints the hash of each that was acknowledged, until it is killed.
//   argv: the options of the store

const blobs = await openS3Blobs(JSON.parse(process.argv[2]!) as S3BlobsOptions, systemRandom)
for (let i = 0; ; i++) {
  const size = i % 2 === 0 ? 20_000 : 6_000_000
  const { hash } = await blobs.put(Buffer.alloc(size, `${i} `), { maxBytes: size })
  process.stdout.write(`${hash}\n`)
}
