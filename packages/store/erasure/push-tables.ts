import { deleteRows, each, keep, type ErasureList } from './rules.ts'

const HOW_FAR = keep('how far somebody was told by mail says nothing of what was removed')

/** Who is notified where, and of what they still have to be. */
export const pushTables: ErasureList = {
  pushers: {
    columns: {
      nid: 'none',
      user_id: 'user_id',
      app_id: 'content',
      pushkey: 'content',
      device_id: 'none',
      kind: 'none',
      app_display_name: 'content',
      device_display_name: 'content',
      profile_tag: 'content',
      lang: 'content',
      data: 'content',
      gateway: 'content',
      set_ts: 'none',
      since: 'none',
      position: 'none',
      badge: 'none',
      failing_since: 'none',
    },
    erase: { user_id: deleteRows('user_id', 'nid') },
  },
  push_rooms: {
    columns: { pusher_nid: 'none', room_nid: 'room_nid', from_nid: 'event_nid', revision: 'none' },
    purge: deleteRows('room_nid', 'pusher_nid'),
    redact: { from_nid: keep('from where on the room is looked through; what was redacted is not sent') },
    cut: keep('from where on the room is looked through'),
  },
  digest_turns: {
    columns: { pusher_nid: 'none', due_ts: 'none', revision: 'none', failures: 'none' },
  },
  digest_rooms: {
    columns: {
      pusher_nid: 'none',
      room_nid: 'room_nid',
      missed_nid: 'event_nid',
      missed_ts: 'none',
      told_nid: 'event_nid',
      told_ts: 'none',
      pause_ms: 'none',
    },
    purge: deleteRows('room_nid', 'pusher_nid'),
    redact: each(['missed_nid', 'told_nid'], HOW_FAR),
    cut: HOW_FAR,
  },
}
