import { DELETE, deleteRows, type ErasureList } from './rules.ts'

/** What is to be sent later. */
export const delayedTables: ErasureList = {
  delayed_events: {
    columns: {
      delay_id: 'none',
      user_id: 'user_id',
      room_nid: 'room_nid',
      type: 'none',
      state_key: 'content',
      content: 'content',
      origin_ts: 'none',
      delay_ms: 'none',
      sticky_ms: 'none',
      since_ts: 'none',
      send_ts: 'none',
      finalised_ts: 'none',
      event_nid: 'event_nid',
      error: 'none',
      made: 'content',
    },
    purge: deleteRows('room_nid', 'delay_id'),
    erase: { user_id: deleteRows('user_id', 'delay_id') },
    redact: { event_nid: DELETE },
  },
}
