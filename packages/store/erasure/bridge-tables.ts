import { BLANK, deleteFew, deleteRows, each, keep, rewrite, withEvents, type ErasureList } from './rules.ts'

const BY_HUB = rewrite('the hub, whose cursor sees the redaction, empties what has not left yet')
const FINDS_TARGET = keep('a redaction must find what to remove on the network; goes by age')

/**
 * Bridges, as far as they keep their tables in this database. Before a room is purged its ghosts have left it,
 * which ends its links.
 */
export const bridgeTables: ErasureList = {
  bridge_portal: {
    columns: {
      nid: 'none',
      network: 'none',
      server: 'none',
      channel: 'none',
      name: 'none',
      created_ts: 'none',
    },
  },
  bridge_link: {
    columns: {
      nid: 'none',
      portal_nid: 'none',
      room_id: 'room_id',
      state: 'none',
      options: 'none',
      requested_by: 'user_id',
      created_ts: 'none',
      updated_ts: 'none',
    },
    purge: deleteRows('room_id', 'nid'),
    erase: { requested_by: BLANK },
  },
  bridge_consent: {
    columns: { link_nid: 'none', ts: 'none', side: 'none', who: 'user_id', answer: 'none', proof: 'content' },
    erase: {
      who: keep('a record that both sides agreed is worth nothing without who did'),
      proof: keep('the same'),
    },
  },
  bridge_ghost: {
    columns: {
      user_id: 'user_id',
      network: 'none',
      server: 'none',
      remote_id: 'none',
      display_name: 'content',
      created_ts: 'none',
    },
    erase: { user_id: deleteRows('user_id', 'user_id') },
  },
  bridge_ghost_member: {
    columns: { portal_nid: 'none', user_id: 'user_id', room_id: 'room_id' },
    purge: deleteFew('room_id', 'portal_nid', 'user_id'),
    erase: { user_id: keep('the ghost leaves the room, and the row goes by that') },
  },
  message_link: {
    columns: {
      event_id: 'event_id',
      portal_nid: 'none',
      part: 'none',
      remote_id: 'none',
      room_id: 'room_id',
      remote_author: 'none',
      created_ts: 'none',
    },
    purge: withEvents('event_id'),
    redact: { event_id: FINDS_TARGET },
  },
  bridge_outbox: {
    columns: {
      nid: 'none',
      lane: 'none',
      portal_nid: 'none',
      room_id: 'room_id',
      event_id: 'event_id',
      kind: 'none',
      payload: 'content',
      state: 'none',
      parts: 'content',
      part: 'none',
      reason: 'none',
      created_ts: 'none',
    },
    purge: deleteFew('room_id', 'nid'),
    erase: each(['payload', 'parts'], keep('emptied as soon as it has arrived')),
    redact: { event_id: keep('an id'), ...each(['payload', 'parts'], BY_HUB) },
    cut: keep('on its way to the network already'),
  },
  bridge_inbox: {
    columns: {
      nid: 'none',
      portal_nid: 'none',
      dedupe_key: 'none',
      payload: 'content',
      state: 'none',
      created_ts: 'none',
    },
    erase: { payload: keep('emptied as soon as it has arrived') },
  },
  bridge_transaction: { columns: { txn_id: 'none', created_ts: 'none' } },
  bridge_account: {
    columns: {
      network: 'none',
      server: 'none',
      user_id: 'user_id',
      nick: 'content',
      secret: 'content',
      updated_ts: 'none',
    },
    erase: { user_id: deleteFew('user_id', 'network', 'server') },
  },
  bridge_cursor: { columns: { portal_nid: 'none', cursor: 'none' } },
}
