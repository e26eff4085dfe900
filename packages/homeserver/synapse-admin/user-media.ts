// https://element-hq.github.io/synapse/latest/admin_api/user_admin_api.html#user-media
import { Type, type Static } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import {
  listUploads,
  UPLOAD_ORDER_NAMES,
  type UploadQuery,
  type UploadRow,
} from '@causeway/store/tables/media.ts'
import { deleteMedia } from '../media/delete-media.ts'
import { defineAdminRequest } from './admin-request.ts'
import { requireAccount, UserParams } from './local-account.ts'
import { dirQuery, nextFrom, oneOf, pageQuery, readPageWanted } from './pages.ts'

const path = '/v1/users/:userId/media'
const Query = Type.Object({
  ...pageQuery,
  order_by: Type.Optional(oneOf(UPLOAD_ORDER_NAMES)),
  dir: dirQuery,
})

/** The newest first, unless something else is said. */
function readUploadQuery(query: Static<typeof Query>): UploadQuery {
  const { order_by: orderBy = 'created_ts', dir } = query
  const isUsual = query.order_by === undefined && dir === undefined
  return { ...readPageWanted(query), orderBy, backwards: isUsual || dir === 'b' }
}

/** Who took content out of use; of some that is not known any more. @param by null for what is in use */
export function viewQuarantiner(by: string | null): string | null {
  return by === '' ? 'unknown' : by
}

export function viewMedia(row: UploadRow): JsonObject {
  return {
    media_id: row.media_id,
    user_id: row.uploader,
    sha256: row.hash,
    // Whether it takes an access token to fetch it.
    authenticated: row.is_open === 0,
    url_cache: null,
    media_type: row.content_type,
    media_length: row.size,
    upload_name: row.filename === '' ? null : row.filename,
    created_ts: row.created_ts,
    // When uploads are looked at is not written down.
    last_access_ts: null,
    quarantined_by: viewQuarantiner(row.quarantined_by),
    safe_from_quarantine: row.is_protected === 1,
  }
}

export const synapseListUserMedia = defineAdminRequest({
  operation: 'synapseListUserMedia',
  method: 'GET',
  path,
  params: UserParams,
  query: Query,
  run: async (hs, { params: { userId }, query }) => {
    await requireAccount(hs, userId)
    const wanted = readUploadQuery(query)
    const { rows, total } = await listUploads(hs.db, userId, wanted)
    const next = nextFrom(wanted, rows.length, total)
    return { media: rows.map(viewMedia), ...(next === undefined ? {} : { next_token: next }), total }
  },
})

export const synapseDeleteUserMedia = defineAdminRequest({
  operation: 'synapseDeleteUserMedia',
  method: 'DELETE',
  path,
  params: UserParams,
  query: Query,
  run: async (hs, { params: { userId }, query }) => {
    await requireAccount(hs, userId)
    const { rows } = await listUploads(hs.db, userId, readUploadQuery(query))
    const deleted: string[] = []
    for (const { media_id: mediaId } of rows) if (await deleteMedia(hs, mediaId)) deleted.push(mediaId)
    return { deleted_media: deleted, total: deleted.length }
  },
})
