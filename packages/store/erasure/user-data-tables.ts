import { DELETE, deleteRows, each, keep, withMemberships, type ErasureList } from './rules.ts'

const HOW_FAR = keep('how far somebody has read says nothing of what was removed')

/** What people set for themselves. */
export const userDataTables: ErasureList = {
  account_data: {
    columns: {
      user_id: 'user_id',
      room_nid: 'room_nid',
      type: 'none',
      content: 'content',
      position: 'none',
      removed_ts: 'none',
    },
    purge: withMemberships('user_id'),
    erase: { user_id: deleteRows('user_id', 'room_nid', 'type') },
  },
  receipts: {
    columns: {
      room_nid: 'room_nid',
      user_id: 'user_id',
      receipt_type: 'none',
      thread_id: 'event_id',
      event_id: 'event_id',
      event_nid: 'event_nid',
      ts: 'none',
      position: 'none',
    },
    purge: deleteRows('room_nid', 'user_id', 'receipt_type', 'thread_id'),
    erase: { user_id: deleteRows('user_id', 'room_nid', 'receipt_type', 'thread_id') },
    redact: each(['thread_id', 'event_id', 'event_nid'], HOW_FAR),
    cut: HOW_FAR,
  },
  sent_positions: {
    columns: { user_id: 'user_id', room_nid: 'room_nid', thread_id: 'event_id', event_nid: 'event_nid' },
    purge: withMemberships('user_id'),
    erase: { user_id: deleteRows('user_id', 'room_nid', 'thread_id') },
    redact: each(['thread_id', 'event_nid'], HOW_FAR),
    cut: HOW_FAR,
  },
  mentions: {
    columns: {
      room_nid: 'room_nid',
      event_nid: 'event_nid',
      user_id: 'user_id',
      thread_id: 'event_id',
      notifies: 'none',
    },
    purge: deleteRows('room_nid', 'event_nid', 'user_id'),
    erase: { user_id: keep('what others said; goes when their event is redacted') },
    redact: { event_nid: DELETE, thread_id: keep('the event in the thread is still there') },
  },
  filters: {
    columns: { user_id: 'user_id', filter_id: 'none', definition: 'content' },
    erase: { user_id: deleteRows('user_id', 'filter_id') },
  },
  sliding_connections: {
    columns: {
      user_id: 'user_id',
      device_id: 'none',
      conn_id: 'content',
      generation: 'none',
      written_ts: 'none',
      rooms: 'content',
    },
    erase: { user_id: deleteRows('user_id', 'device_id', 'conn_id', 'generation') },
  },
  thread_subscriptions: {
    columns: {
      user_id: 'user_id',
      room_nid: 'room_nid',
      thread_id: 'event_id',
      subscribed: 'none',
      automatic: 'none',
      unsubscribed_at: 'none',
      position: 'none',
    },
    cut: keep('which threads somebody follows, without what is said in them'),
    purge: deleteRows('room_nid', 'user_id', 'thread_id'),
    erase: { user_id: deleteRows('user_id', 'room_nid', 'thread_id') },
    redact: { thread_id: keep('the thread is still there, and what was set of it says nothing of its root') },
  },
  push_rules: {
    columns: { user_id: 'user_id', changes: 'content', position: 'none' },
    erase: { user_id: deleteRows('user_id', 'user_id') },
  },
}
