import type { Database, Row, Step, TableShape } from '../db/database.ts'

const PREVIEWS: TableShape = {
  name: 'url_previews',
  columns: [
    { name: 'url', type: 'text' },
    { name: 'language', type: 'text' },
    { name: 'expires_ts', type: 'int' },
    { name: 'body', type: 'text' },
    { name: 'media_id', type: 'text' },
  ],
  onConflict: { key: ['url', 'language'], action: 'replace' },
}

const IMAGES: TableShape = {
  name: 'url_preview_images',
  columns: [
    { name: 'media_id', type: 'text' },
    { name: 'forget_ts', type: 'int' },
  ],
  onConflict: { key: ['media_id'], action: 'replace' },
}

/** One row of `url_previews`, columns as in the schema. */
export interface UrlPreviewRow extends Row {
  url: string
  language: string
  expires_ts: number
  body: string
  media_id: string
}

const COLUMNS = PREVIEWS.columns.map(({ name }) => name).join(', ')

/** The last preview of an address, expired or not. */
export async function findUrlPreview(
  db: Database,
  url: string,
  language: string,
): Promise<UrlPreviewRow | undefined> {
  const sql = `SELECT ${COLUMNS} FROM url_previews WHERE url = ? AND language = ?`
  return (await db.query<UrlPreviewRow>(sql, [url, language]))[0]
}

/** In place of an earlier preview of the same address and language. */
export function setUrlPreview(row: UrlPreviewRow): Step {
  return { into: PREVIEWS, values: PREVIEWS.columns.map(({ name }) => row[name]!) }
}

/** A picture is kept until then. */
export function setPreviewImage(mediaId: string, forgetTs: number): Step {
  return { into: IMAGES, values: [mediaId, forgetTs] }
}

/** Deletes up to `limit` previews that expired before a time; answers how many. */
export async function deleteExpiredPreviews(db: Database, before: number, limit: number): Promise<number> {
  const result = await db.commit({
    entries: [],
    steps: [
      {
        sql: `DELETE FROM url_previews WHERE (url, language) IN
          (SELECT url, language FROM url_previews WHERE expires_ts < ? ORDER BY expires_ts LIMIT ?)
          RETURNING 1 AS one`,
        params: [before, limit],
        returning: true,
      },
    ],
  })
  return result.ok ? (result.rows.get(0)?.length ?? 0) : 0
}

/** Pictures that nobody is shown any more. */
export async function listForgottenImages(db: Database, now: number, limit: number): Promise<string[]> {
  const rows = await db.query<{ media_id: string }>(
    'SELECT media_id FROM url_preview_images WHERE forget_ts < ? ORDER BY forget_ts LIMIT ?',
    [now, limit],
  )
  return rows.map(({ media_id }) => media_id)
}

export function forgetPreviewImage(mediaId: string): Step {
  return { sql: 'DELETE FROM url_preview_images WHERE media_id = ?', params: [mediaId] }
}
