import { deleteRows, keep, type ErasureList } from './rules.ts'

/** End-to-end encryption. */
export const encryptionTables: ErasureList = {
  device_keys: {
    columns: { user_id: 'user_id', device_id: 'none', json: 'content' },
    erase: { user_id: deleteRows('user_id', 'device_id') },
  },
  one_time_keys: {
    columns: {
      user_id: 'user_id',
      device_id: 'none',
      algorithm: 'none',
      key_id: 'none',
      uploaded_ts: 'none',
      json: 'content',
    },
    erase: { user_id: deleteRows('user_id', 'device_id', 'algorithm', 'key_id') },
  },
  fallback_keys: {
    columns: {
      user_id: 'user_id',
      device_id: 'none',
      algorithm: 'none',
      key_id: 'none',
      json: 'content',
      is_used: 'none',
    },
    erase: { user_id: deleteRows('user_id', 'device_id', 'algorithm') },
  },
  cross_signing_keys: {
    columns: { user_id: 'user_id', purpose: 'none', public_key: 'none', json: 'content' },
    erase: { user_id: deleteRows('user_id', 'purpose') },
  },
  cross_signing_grants: {
    columns: { user_id: 'user_id', until_ts: 'none' },
    erase: { user_id: deleteRows('user_id', 'user_id') },
  },
  key_signatures: {
    columns: {
      user_id: 'user_id',
      target: 'none',
      signer: 'user_id',
      signer_key_id: 'none',
      signature: 'none',
      position: 'none',
    },
    erase: {
      user_id: deleteRows('user_id', 'target', 'signer', 'signer_key_id'),
      signer: keep('a signature on the key of another; without the key that made it, it says nothing'),
    },
  },
  to_device: {
    columns: { user_id: 'user_id', device_id: 'none', position: 'none', json: 'content' },
    erase: { user_id: deleteRows('user_id', 'device_id', 'position') },
  },
  dehydrated_devices: {
    columns: { user_id: 'user_id', device_id: 'none', data: 'content' },
    erase: { user_id: deleteRows('user_id', 'user_id') },
  },
  device_lists: {
    columns: { user_id: 'user_id', position: 'none' },
    erase: { user_id: keep('others still have to learn that the devices are gone') },
  },
  key_backups: {
    columns: {
      user_id: 'user_id',
      version: 'none',
      algorithm: 'none',
      auth_data: 'content',
      etag: 'none',
      key_count: 'none',
      is_deleted: 'none',
    },
    erase: { user_id: deleteRows('user_id', 'version') },
  },
  key_backup_sessions: {
    columns: {
      user_id: 'user_id',
      version: 'none',
      room_id: 'room_id',
      session_id: 'none',
      first_message_index: 'none',
      forwarded_count: 'none',
      is_verified: 'none',
      session_data: 'content',
    },
    purge: keep("the backup is its owner's, who may have the room's messages from elsewhere"),
    erase: { user_id: deleteRows('user_id', 'version', 'room_id', 'session_id') },
  },
}
