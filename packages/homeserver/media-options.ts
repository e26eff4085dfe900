import { Type, type Static } from 'typebox'
import { bytes, dataPath, duration, optionalBytes, secret } from './ops/config-options.ts'

const s3 = Type.Object(
  {
    endpoint: Type.Optional(
      Type.String({
        pattern: '^https?://[^/]+$',
        description:
          'Address of the service, such as https://s3.example.org. Without it, that of Amazon in the region.',
      }),
    ),
    region: Type.String({
      default: 'us-east-1',
      minLength: 1,
      description: 'The region of the bucket; services with only one take any.',
    }),
    bucket: Type.String({ minLength: 1, description: 'The bucket, which must exist, and be private.' }),
    prefix: Type.String({
      default: '',
      description:
        'What the names of all objects begin with, such as "media/": several servers can share a bucket.',
    }),
    access_key_id: Type.Optional(
      Type.String({
        description:
          'The key to log in with. Without one it is looked for as Amazon’s tools do: environment, ~/.aws, role of the machine.',
      }),
    ),
    secret_access_key: Type.Optional(secret('The secret that belongs to the key.')),
  },
  { description: 'The S3 bucket, where media.store is s3.' },
)

/** Files that people send. */
export const mediaOptions = Type.Object(
  {
    store: Type.Enum(['disk', 's3'], {
      default: 'disk',
      description: 'Where files are kept: in the folder of media.path, or in the bucket of media.s3.',
    }),
    move_from: Type.Optional(
      Type.Enum(['disk', 's3'], {
        description:
          'Where files were kept before: what is not in media.store yet is read from there, until `causeway admin media move` has moved it.',
      }),
    ),
    path: dataPath(
      'media',
      'The folder for uploaded files. With s3, for those that are on their way to the bucket.',
    ),
    s3: Type.Optional(s3),
    max_upload_size: bytes('100M', 'The largest file that may be uploaded.'),
    max_size_per_user: optionalBytes(
      'What everything that one person has uploaded may come to, such as 5G. Not limited by default.',
    ),
    max_size_per_user_and_day: optionalBytes(
      'What one person may upload within 24 hours, such as 500M. Not limited by default.',
    ),
    max_image_pixels: Type.Integer({
      default: 40_000_000,
      minimum: 0,
      description: 'Images with more pixels get no thumbnails: decoding them takes memory.',
    }),
    remote_kept_days: Type.Integer({
      default: 30,
      minimum: 1,
      maximum: 36_500,
      description: 'How many days a file of another server is kept after somebody last asked for it.',
    }),
    redacted_kept: duration(
      '7d',
      'How long an upload is kept after the last message that showed it was removed. Nothing goes that another message, a profile or the picture of a room shows.',
    ),
    remote_max_size: optionalBytes(
      'What all files of other servers together may take, such as 20G: those that were asked for longest ago go first, within an hour. Not limited by default.',
    ),
    unauthenticated_downloads: Type.Boolean({
      default: false,
      description:
        'Whether new files can also be fetched without an access token, as clients and bridges from before 2024 do. What was uploaded while this was on stays so.',
    }),
  },
  { description: 'Files that people send.' },
)

export type MediaConfig = Static<typeof mediaOptions>

/** Options that do not go together. */
export function findMediaConflicts(media: MediaConfig): { path: string[]; message: string }[] {
  const conflicts: { path: string[]; message: string }[] = []
  const add = (option: readonly string[], message: string): void =>
    void conflicts.push({ path: ['media', ...option], message })
  if ((media.store === 's3' || media.move_from === 's3') && media.s3 === undefined)
    add(['s3'], 'is needed where media.store or media.move_from is s3')
  if (media.move_from === media.store) add(['move_from'], 'must be another store than media.store')
  if ((media.s3?.access_key_id === undefined) !== (media.s3?.secret_access_key === undefined))
    add(['s3', 'access_key_id'], 'needs a secret_access_key, and that one it')
  return conflicts
}
