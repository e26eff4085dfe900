import { BLANK, DELETE, each, keep, rewrite, withEvents, type ErasureList } from './rules.ts'

/** Uploads. What only a purged room showed is noted in the writes that purge it, and goes like media of redacted events. */
export const mediaTables: ErasureList = {
  media: {
    columns: {
      media_id: 'none',
      uploader: 'user_id',
      created_ts: 'none',
      hash: 'none',
      size: 'none',
      content_type: 'none',
      filename: 'content',
      expires_ts: 'none',
      is_open: 'none',
      is_protected: 'none',
    },
    erase: {
      uploader: rewrite('each upload is deleted together with its bytes, unless another one has the same'),
      filename: keep('goes with the row'),
    },
  },
  media_thumbnails: {
    columns: { source_hash: 'none', variant: 'none', hash: 'none', size: 'none', content_type: 'none' },
  },
  media_references: {
    columns: { media_id: 'none', event_nid: 'event_nid' },
    purge: withEvents('event_nid'),
    redact: { event_nid: DELETE },
  },
  media_unreferenced: { columns: { media_id: 'none', since_ts: 'none' } },
  quarantined_blobs: {
    columns: { hash: 'none', since_ts: 'none', quarantined_by: 'user_id' },
    erase: { quarantined_by: BLANK },
  },
  url_previews: {
    columns: { url: 'content', language: 'none', expires_ts: 'none', body: 'content', media_id: 'none' },
    erase: each(
      ['url', 'body'],
      keep('what a public page said; nothing tells who asked, and it goes within a day'),
    ),
    redact: each(['url', 'body'], keep('the same page may be linked elsewhere; it goes within a day')),
  },
  url_preview_images: { columns: { media_id: 'none', forget_ts: 'none' } },
}
