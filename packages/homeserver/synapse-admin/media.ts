// https://element-hq.github.io/synapse/latest/admin_api/media_admin_api.html, …/statistics.html
import { Type, type Static } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { invalidParam, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { parseJson } from '@causeway/matrix/json/parse.ts'
import {
  findUpload,
  listOldUploads,
  listUploadUsage,
  USAGE_ORDER_NAMES,
} from '@causeway/store/tables/media.ts'
import { findProfiles } from '@causeway/store/tables/profiles.ts'
import { findQuarantinedBlob } from '@causeway/store/tables/quarantined-blobs.ts'
import { findRemoteMediaRow, listUnusedRemoteMedia } from '@causeway/store/tables/remote-media.ts'
import { listRoomAvatars } from '@causeway/store/tables/room-descriptions.ts'
import type { Homeserver } from '../homeserver.ts'
import { deleteMedia } from '../media/delete-media.ts'
import { deleteRemoteMedia } from '../media/remote/forget-remote-media.ts'
import { defineAdminRequest } from './admin-request.ts'
import { dirQuery, nextFrom, oneOf, pageQuery, readPageWanted } from './pages.ts'
import { viewMedia, viewQuarantiner } from './user-media.ts'

/** Uploads that are looked at at once. */
const PORTION = 200
/** Milliseconds: what is less was meant as seconds. */
const FIRST_TS = 30_000_000_000

const beforeTs = Type.Integer({ minimum: 0 })

function requireMilliseconds(ts: number): void {
  if (ts < FIRST_TS) throw invalidParam('before_ts is from the year 1970: say it in milliseconds since then')
}

export const synapseDeleteMedia = defineAdminRequest({
  operation: 'synapseDeleteMedia',
  method: 'DELETE',
  path: '/v1/media/:serverName/:mediaId',
  params: Type.Object({ serverName: Type.String(), mediaId: Type.String({ maxLength: 255 }) }),
  run: async (hs, { params: { serverName, mediaId } }) => {
    if (serverName !== hs.serverName) throw invalidParam('Can only delete local media')
    if (!(await deleteMedia(hs, mediaId))) throw notFound('Unknown media')
    return { deleted_media: [mediaId], total: 1 }
  },
})

/** What is known of an upload, or of a file fetched from another server. */
export const synapseGetMedia = defineAdminRequest({
  operation: 'synapseGetMedia',
  method: 'GET',
  path: '/v1/media/:serverName/:mediaId',
  params: Type.Object({
    serverName: Type.String({ maxLength: 255 }),
    mediaId: Type.String({ maxLength: 255 }),
  }),
  run: async (hs, { params: { serverName, mediaId } }) => {
    if (serverName === hs.serverName) {
      const upload = await findUpload(hs.db, mediaId)
      if (upload === undefined) throw notFound('Unknown media')
      return { media_info: { ...viewMedia(upload), media_origin: null, filesystem_id: null } }
    }
    const row = await findRemoteMediaRow(hs.db, serverName, mediaId)
    if (row === undefined || row.hash === '') throw notFound('Unknown media')
    const quarantine = await findQuarantinedBlob(hs.db, row.hash)
    return {
      media_info: {
        media_origin: serverName,
        user_id: null,
        media_id: mediaId,
        media_type: row.content_type,
        media_length: row.size,
        upload_name: row.filename === '' ? null : row.filename,
        created_ts: row.fetched_ts,
        filesystem_id: null,
        url_cache: null,
        last_access_ts: row.used_ts,
        quarantined_by: viewQuarantiner(quarantine?.quarantined_by ?? null),
        authenticated: row.is_open === 0,
        safe_from_quarantine: null,
        sha256: row.hash,
      },
    }
  },
})

const OldMedia = Type.Object({
  before_ts: beforeTs,
  size_gt: Type.Optional(Type.Integer({ minimum: 0 })),
  keep_profiles: Type.Optional(Type.Boolean()),
})

/** Pictures of rooms, as they stand now. */
async function listPictures({ roomList, db }: Homeserver): Promise<ReadonlySet<string>> {
  await roomList.caughtUp()
  return await listRoomAvatars(db)
}

async function deleteOld(hs: Homeserver, query: Static<typeof OldMedia>): Promise<JsonObject> {
  requireMilliseconds(query.before_ts)
  const keepsPictures = query.keep_profiles ?? true
  const pictures = keepsPictures ? await listPictures(hs) : new Set<string>()
  const deleted: string[] = []
  for (let after = ''; ;) {
    const wanted = { beforeTs: query.before_ts, largerThan: query.size_gt ?? 0, after, limit: PORTION }
    const rows = await listOldUploads(hs.db, wanted)
    const profiles = await findProfiles(hs.db, [...new Set(rows.map(({ uploader }) => uploader))])
    for (const { media_id: id, uploader } of rows) {
      const url = `mxc://${hs.serverName}/${id}`
      if (keepsPictures && (pictures.has(url) || profiles.get(uploader)?.get('avatar_url') === url)) continue
      if (await deleteMedia(hs, id)) deleted.push(id)
    }
    if (rows.length < PORTION) return { deleted_media: deleted, total: deleted.length }
    after = rows.at(-1)!.media_id
  }
}

export const synapseDeleteOldMedia = defineAdminRequest({
  operation: 'synapseDeleteOldMedia',
  method: 'POST',
  path: '/v1/media/delete',
  query: OldMedia,
  run: (hs, { query }) => deleteOld(hs, query),
})

/** Media of other servers that nobody has asked for since; it is fetched anew when somebody does. */
export const synapsePurgeMediaCache = defineAdminRequest({
  operation: 'synapsePurgeMediaCache',
  method: 'POST',
  path: '/v1/purge_media_cache',
  query: Type.Object({ before_ts: beforeTs }),
  run: async (hs, { query }) => {
    requireMilliseconds(query.before_ts)
    let deleted = 0
    for (;;) {
      const rows = await listUnusedRemoteMedia(hs.db, query.before_ts, PORTION)
      for (const row of rows) if (await deleteRemoteMedia(hs, row.server_name, row.media_id)) deleted++
      if (rows.length < PORTION) return { deleted }
    }
  },
})

export const synapseMediaStatistics = defineAdminRequest({
  operation: 'synapseMediaStatistics',
  method: 'GET',
  path: '/v1/statistics/users/media',
  query: Type.Object({
    ...pageQuery,
    dir: dirQuery,
    order_by: Type.Optional(oneOf(USAGE_ORDER_NAMES)),
    from_ts: Type.Optional(Type.Integer({ minimum: 0 })),
    until_ts: Type.Optional(Type.Integer({ minimum: 0 })),
    search_term: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  }),
  run: async (hs, { query }) => {
    const { from_ts: fromTs = 0, until_ts: untilTs = Number.MAX_SAFE_INTEGER } = query
    if (untilTs <= fromTs) throw invalidParam('until_ts must be greater than from_ts')
    const page = readPageWanted(query)
    const { rows, total } = await listUploadUsage(hs.db, {
      ...page,
      fromTs,
      untilTs,
      term: query.search_term,
      orderBy: query.order_by ?? 'user_id',
      backwards: query.dir === 'b',
    })
    const next = nextFrom(page, rows.length, total)
    const users = rows.map((row) => ({
      user_id: row.uploader,
      displayname: row.displayname === null ? null : parseJson(row.displayname),
      media_count: Number(row.media_count),
      media_length: Number(row.media_length),
    }))
    return { users, ...(next === undefined ? {} : { next_token: next }), total }
  },
})
