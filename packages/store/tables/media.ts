import type { Database, Row, Step, TableShape } from '../db/database.ts'
import { containing } from './like.ts'
import { readPage, type Page, type PageOf } from './page.ts'

const MEDIA: TableShape = {
  name: 'media',
  columns: [
    { name: 'media_id', type: 'text' },
    { name: 'uploader', type: 'text' },
    { name: 'created_ts', type: 'int' },
    { name: 'hash', type: 'text' },
    { name: 'size', type: 'int' },
    { name: 'content_type', type: 'text' },
    { name: 'filename', type: 'text' },
    { name: 'expires_ts', type: 'int' },
    { name: 'is_open', type: 'int' },
  ],
}

const THUMBNAILS: TableShape = {
  name: 'media_thumbnails',
  columns: [
    { name: 'source_hash', type: 'text' },
    { name: 'variant', type: 'text' },
    { name: 'hash', type: 'text' },
    { name: 'size', type: 'int' },
    { name: 'content_type', type: 'text' },
  ],
  onConflict: { key: ['source_hash', 'variant'], action: 'replace' },
}

/** What is said of a new row of `media`, columns as in the schema. */
export interface NewMediaRow extends Row {
  media_id: string
  uploader: string
  created_ts: number
  hash: string
  size: number
  content_type: string
  filename: string
  expires_ts: number
  is_open: number
}

/** One row of `media`. */
export interface MediaRow extends NewMediaRow {
  is_protected: number
}

const COLUMNS = [...MEDIA.columns.map(({ name }) => name), 'is_protected'].join(', ')

/** A piece of media by its id, with or without content yet. */
export async function findMediaRow(db: Database, mediaId: string): Promise<MediaRow | undefined> {
  return (await db.query<MediaRow>(`SELECT ${COLUMNS} FROM media WHERE media_id = ?`, [mediaId]))[0]
}

/** Media of one uploader from a time on, oldest first. */
export function listMediaOfUploader(
  db: Database,
  uploader: string,
  sinceTs: number,
  limit: number,
): Promise<MediaRow[]> {
  return db.queryLarge<MediaRow>(
    `SELECT ${COLUMNS} FROM media WHERE uploader = ? AND created_ts >= ? ORDER BY created_ts, media_id LIMIT ?`,
    [uploader, sinceTs, limit],
  )
}

const UPLOAD_ORDERS = {
  media_id: 'media_id',
  upload_name: 'filename',
  created_ts: 'created_ts',
  media_length: 'size',
  media_type: 'content_type',
} as const

export type UploadOrder = keyof typeof UPLOAD_ORDERS
export const UPLOAD_ORDER_NAMES = Object.keys(UPLOAD_ORDERS) as UploadOrder[]

/** One page of what somebody has uploaded. */
export interface UploadQuery extends PageOf {
  readonly orderBy: UploadOrder
  readonly backwards: boolean
}

/** `quarantined_by` is null for what is in use. */
export type UploadRow = MediaRow & { quarantined_by: string | null }

const WITH_QUARANTINE = `${COLUMNS},
  (SELECT q.quarantined_by FROM quarantined_blobs q WHERE q.hash = media.hash) AS quarantined_by`

/** An upload that has its content. */
export async function findUpload(db: Database, mediaId: string): Promise<UploadRow | undefined> {
  const sql = `SELECT ${WITH_QUARANTINE} FROM media WHERE media_id = ? AND hash <> ''`
  return (await db.query<UploadRow>(sql, [mediaId]))[0]
}

/** Uploads of one user that have their content. */
export function listUploads(
  db: Database,
  uploader: string,
  { orderBy, backwards, ...page }: UploadQuery,
): Promise<Page<UploadRow>> {
  return readPage<UploadRow>(
    db,
    {
      columns: WITH_QUARANTINE,
      tables: "media WHERE uploader = ? AND hash <> ''",
      order: `${UPLOAD_ORDERS[orderBy]} ${backwards ? 'DESC' : 'ASC'}, media_id`,
      params: [uploader],
    },
    page,
  )
}

/** Uploads of before a time that are larger than a size, in the order of their ids, from behind one. */
export function listOldUploads(
  db: Database,
  wanted: {
    readonly beforeTs: number
    readonly largerThan: number
    readonly after: string
    readonly limit: number
  },
): Promise<MediaRow[]> {
  return db.queryLarge<MediaRow>(
    `SELECT ${COLUMNS} FROM media WHERE media_id > ? AND hash <> '' AND created_ts < ? AND size > ?
     ORDER BY media_id LIMIT ?`,
    [wanted.after, wanted.beforeTs, wanted.largerThan, wanted.limit],
  )
}

const USAGE_ORDERS = {
  user_id: 'm.uploader',
  displayname: "lower(coalesce(n.value, ''))",
  media_count: 'count(*)',
  media_length: 'sum(m.size)',
} as const

export type UsageOrder = keyof typeof USAGE_ORDERS
export const USAGE_ORDER_NAMES = Object.keys(USAGE_ORDERS) as UsageOrder[]

/** Whose uploads of which time are added up. */
export interface UsageQuery extends PageOf {
  readonly orderBy: UsageOrder
  readonly backwards: boolean
  readonly fromTs: number
  readonly untilTs: number
  /** Part of the user id or of the name, in any case of letters. */
  readonly term?: string | undefined
}

export interface UsageRow extends Row {
  uploader: string
  /** JSON, or null. */
  displayname: string | null
  media_count: number
  media_length: number
}

/** How much each user has uploaded; counted are the users. */
export function listUploadUsage(
  db: Database,
  { orderBy, backwards, fromTs, untilTs, term, ...page }: UsageQuery,
): Promise<Page<UsageRow>> {
  const like = term === undefined ? [] : [containing(term), containing(JSON.stringify(term).slice(1, -1))]
  const named =
    term === undefined
      ? ''
      : `AND (lower(m.uploader) LIKE lower(?) ESCAPE '!' OR lower(n.value) LIKE lower(?) ESCAPE '!')`
  return readPage<UsageRow>(
    db,
    {
      columns:
        'm.uploader, n.value AS displayname, count(*) AS media_count, CAST(sum(m.size) AS BIGINT) AS media_length',
      tables: `media m LEFT JOIN profiles n ON n.user_id = m.uploader AND n.field = 'displayname'
        WHERE m.hash <> '' AND m.created_ts >= ? AND m.created_ts <= ? ${named}`,
      rest: 'GROUP BY m.uploader, n.value',
      order: `${USAGE_ORDERS[orderBy]} ${backwards ? 'DESC' : 'ASC'}, m.uploader`,
      counted: 'DISTINCT m.uploader',
      params: [fromTs, untilTs, ...like],
    },
    page,
  )
}

/** Ids that somebody made and has not filled yet. */
export async function countPendingMedia(db: Database, uploader: string, now: number): Promise<number> {
  const rows = await db.query<{ n: number }>(
    "SELECT count(*) AS n FROM media WHERE hash = '' AND uploader = ? AND expires_ts > ?",
    [uploader, now],
  )
  return rows[0]?.n ?? 0
}

/** Bytes that somebody has uploaded from a time on, and that are still here. */
export async function sumUploads(db: Database, uploader: string, sinceTs: number): Promise<number> {
  const rows = await db.query<{ total: number }>(
    'SELECT CAST(COALESCE(sum(size), 0) AS BIGINT) AS total FROM media WHERE uploader = ? AND created_ts >= ?',
    [uploader, sinceTs],
  )
  return rows[0]?.total ?? 0
}

export function insertMedia(row: NewMediaRow): Step {
  return { into: MEDIA, values: MEDIA.columns.map(({ name }) => row[name]!) }
}

/** Removes ids of a user that were never filled in time. */
export function deleteExpiredMedia(uploader: string, now: number): Step {
  return {
    sql: "DELETE FROM media WHERE hash = '' AND uploader = ? AND expires_ts <= ?",
    params: [uploader, now],
  }
}

/** Gives an empty id its content; refused (`precondition`) when it has some by now. */
export function fillMedia(
  mediaId: string,
  content: Pick<MediaRow, 'hash' | 'size' | 'content_type' | 'filename' | 'created_ts'>,
): Step {
  return {
    sql: `UPDATE media SET hash = ?, size = ?, content_type = ?, filename = ?, created_ts = ?, expires_ts = 0
          WHERE media_id = ? AND hash = ''`,
    params: [content.hash, content.size, content.content_type, content.filename, content.created_ts, mediaId],
    expectRows: 1,
  }
}

/** Its content is not taken out of use from now on, or may be again. Refused (`precondition`) where there is no such media. */
export function setMediaProtected(mediaId: string, isProtected: boolean): Step {
  return {
    sql: 'UPDATE media SET is_protected = ? WHERE media_id = ?',
    params: [isProtected ? 1 : 0, mediaId],
    expectRows: 1,
  }
}

export function deleteMediaRow(mediaId: string): Step {
  return { sql: 'DELETE FROM media WHERE media_id = ?', params: [mediaId] }
}

/** Whether any upload, fetched media or thumbnail has this blob. */
export async function isBlobUsed(db: Database, hash: string): Promise<boolean> {
  const rows = await db.query(
    `SELECT 1 AS used FROM media WHERE hash = ?
     UNION ALL SELECT 1 AS used FROM remote_media WHERE hash = ?
     UNION ALL SELECT 1 AS used FROM media_thumbnails WHERE hash = ? LIMIT 1`,
    [hash, hash, hash],
  )
  return rows.length > 0
}

export interface ThumbnailRow extends Row {
  source_hash: string
  variant: string
  hash: string
  size: number
  content_type: string
}

const THUMBNAIL_COLUMNS = THUMBNAILS.columns.map(({ name }) => name).join(', ')

export async function findThumbnailRow(
  db: Database,
  sourceHash: string,
  variant: string,
): Promise<ThumbnailRow | undefined> {
  const rows = await db.query<ThumbnailRow>(
    `SELECT ${THUMBNAIL_COLUMNS} FROM media_thumbnails WHERE source_hash = ? AND variant = ?`,
    [sourceHash, variant],
  )
  return rows[0]
}

export function listThumbnailRows(db: Database, sourceHash: string): Promise<ThumbnailRow[]> {
  return db.query<ThumbnailRow>(`SELECT ${THUMBNAIL_COLUMNS} FROM media_thumbnails WHERE source_hash = ?`, [
    sourceHash,
  ])
}

export function insertThumbnail(row: ThumbnailRow): Step {
  return { into: THUMBNAILS, values: THUMBNAILS.columns.map(({ name }) => row[name]!) }
}

export function deleteThumbnails(sourceHash: string): Step {
  return { sql: 'DELETE FROM media_thumbnails WHERE source_hash = ?', params: [sourceHash] }
}
