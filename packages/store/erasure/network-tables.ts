import { deleteRows, type ErasureList } from './rules.ts'

/** What we know of other servers, and proofs of identity for third parties. */
export const federationTables: ErasureList = {
  server_keys: {
    columns: {
      server_name: 'none',
      key_id: 'none',
      public_key: 'none',
      valid_until_ts: 'none',
      expired_ts: 'none',
      fetched_ts: 'none',
      notary: 'none',
      document: 'none',
    },
  },
  destinations: {
    columns: {
      server_name: 'none',
      failing_since_ts: 'none',
      retry_ts: 'none',
      interval_ms: 'none',
      failures: 'none',
      last_error: 'none',
    },
  },
  login_tokens: {
    columns: { token_hash: 'none', user_id: 'user_id', expires_ts: 'none' },
    erase: { user_id: deleteRows('user_id', 'token_hash') },
  },
  openid_tokens: {
    columns: { token_hash: 'none', user_id: 'user_id', expires_ts: 'none' },
    erase: { user_id: deleteRows('user_id', 'token_hash') },
  },
}
