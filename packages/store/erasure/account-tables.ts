import { deleteFew, deleteRows, keep, rewrite, type ErasureList } from './rules.ts'

/** Accounts, their logins, and how others see them. */
export const accountTables: ErasureList = {
  users: {
    columns: {
      user_id: 'user_id',
      password_hash: 'none',
      is_admin: 'none',
      is_guest: 'none',
      appservice_id: 'none',
      created_ts: 'none',
      deactivated_ts: 'none',
      is_erased: 'none',
      is_locked: 'none',
      is_suspended: 'none',
      is_shadow_banned: 'none',
      terms_accepted: 'none',
    },
    erase: {
      user_id: rewrite('the name stays taken; deactivation has emptied what lets somebody log in'),
    },
  },
  profiles: {
    columns: { user_id: 'user_id', field: 'none', value: 'content' },
    erase: { user_id: deleteRows('user_id', 'field') },
  },
  devices: {
    columns: {
      user_id: 'user_id',
      device_id: 'none',
      display_name: 'content',
      created_ts: 'none',
      last_seen_ts: 'none',
      last_seen_ip: 'content',
    },
    erase: { user_id: deleteRows('user_id', 'device_id') },
  },
  access_tokens: {
    columns: {
      nid: 'none',
      token_hash: 'none',
      user_id: 'user_id',
      device_id: 'none',
      expires_ts: 'none',
      unconfirmed: 'none',
    },
    erase: { user_id: deleteRows('user_id', 'nid') },
  },
  refresh_tokens: {
    columns: {
      token_hash: 'none',
      user_id: 'user_id',
      device_id: 'none',
      created_ts: 'none',
      is_spent: 'none',
      successor_hash: 'none',
    },
    erase: { user_id: deleteRows('user_id', 'token_hash') },
  },
  registration_tokens: {
    columns: {
      token: 'none',
      uses_allowed: 'none',
      uses_completed: 'none',
      created_ts: 'none',
      expires_ts: 'none',
      makes_admin: 'none',
    },
  },
  user_threepids: {
    columns: {
      medium: 'none',
      address: 'content',
      user_id: 'user_id',
      validated_ts: 'none',
      added_ts: 'none',
    },
    erase: { user_id: deleteRows('user_id', 'medium', 'address') },
    redact: { address: keep('no event has it') },
  },
  identity_bindings: {
    columns: {
      user_id: 'user_id',
      medium: 'none',
      address: 'content',
      id_server: 'none',
      bound_ts: 'none',
    },
    erase: { user_id: deleteRows('user_id', 'medium', 'address', 'id_server') },
    redact: { address: keep('no event has it') },
  },
  address_sessions: {
    columns: {
      sid: 'none',
      medium: 'none',
      address: 'content',
      client_secret: 'none',
      purpose: 'none',
      user_id: 'user_id',
      send_attempt: 'none',
      token_hash: 'none',
      guesses: 'none',
      expires_ts: 'none',
      validated_ts: 'none',
    },
    erase: { user_id: deleteRows('user_id', 'sid') },
    redact: { address: keep('no event has it') },
  },
  limits: {
    columns: {
      kind: 'none',
      principal: 'user_id',
      action: 'none',
      per_kilosecond: 'none',
      burst: 'none',
    },
    erase: { principal: deleteFew('principal', 'kind', 'action') },
  },
  user_jobs: {
    columns: { user_id: 'user_id', job: 'none', version: 'none' },
    erase: { user_id: keep('leaving the rooms is still to be done; the row goes when it is') },
  },
}
