import { deleteRows, keep, type ErasureList } from './rules.ts'

/** What is kept of users and media of other servers. */
export const remoteUserTables: ErasureList = {
  remote_device_lists: {
    columns: {
      user_id: 'user_id',
      server_name: 'none',
      stream_id: 'none',
      is_stale: 'none',
      retry_ts: 'none',
      attempts: 'none',
      fetched_ts: 'none',
    },
    erase: { user_id: deleteRows('user_id', 'user_id') },
  },
  remote_devices: {
    columns: { user_id: 'user_id', device_id: 'none', display_name: 'content', json: 'content' },
    erase: { user_id: deleteRows('user_id', 'device_id') },
  },
  received_messages: { columns: { origin: 'none', message_id: 'none', received_ts: 'none' } },
  remote_media: {
    columns: {
      server_name: 'none',
      media_id: 'none',
      hash: 'none',
      size: 'none',
      content_type: 'none',
      filename: 'content',
      fetched_ts: 'none',
      used_ts: 'none',
      is_open: 'none',
    },
    erase: { filename: keep('nobody of ours uploaded it; it goes when it is no longer asked for') },
  },
}
