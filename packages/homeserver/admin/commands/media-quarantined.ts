import { Type } from 'typebox'
import { listQuarantinedBlobs } from '@causeway/store/tables/quarantined-blobs.ts'
import { defineAdminCommand } from '../command.ts'

const MOST = 1_000

export const command = defineAdminCommand({
  usage: '',
  summary: 'List the content that is out of use by its hash (SHA-256), the newest first',
  input: Type.Object({
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: MOST, description: 'How many at most; default 100' }),
    ),
  }),
  run: async ({ db }, { limit = 100 }) =>
    (await listQuarantinedBlobs(db, limit)).map(({ hash, since_ts: sinceTs, quarantined_by: by }) => ({
      hash,
      since: new Date(sinceTs).toISOString(),
      by: by === '' ? null : by,
    })),
})
