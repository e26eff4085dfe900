import { deleteBy, deleteRows, each, keep, type ErasureList } from './rules.ts'

/** Rooms that are shared with other servers. */
export const federationRoomTables: ErasureList = {
  backward_extremities: {
    columns: { room_nid: 'room_nid', event_id: 'event_id', child_nid: 'event_nid', child_depth: 'none' },
    purge: deleteRows('room_nid', 'event_id'),
    redact: each(['event_id', 'child_nid'], keep('where a gap is does not change by a redaction')),
    cut: keep('gaps in what is cut off are closed by their depth'),
  },
  history_cuts: {
    columns: { room_nid: 'room_nid', depth: 'none' },
    purge: deleteRows('room_nid', 'room_nid'),
  },
  state_resets: {
    columns: { room_nid: 'room_nid', root: 'none', at_ts: 'none', reset_keys: 'content' },
    purge: deleteRows('room_nid', 'root'),
    erase: { reset_keys: keep('names keys of the room’s state, which are part of its graph') },
    redact: { reset_keys: keep('names events and holds nothing that they say') },
  },
  room_servers: {
    columns: {
      room_nid: 'room_nid',
      server_name: 'none',
      joined: 'none',
      from_nid: 'event_nid',
      until_nid: 'event_nid',
    },
    purge: deleteRows('room_nid', 'server_name'),
    redact: each(['from_nid', 'until_nid'], keep('redaction keeps the membership')),
    cut: keep('events of members, which are state'),
  },
  inbound_pdus: {
    columns: {
      room_id: 'room_id',
      event_id: 'event_id',
      origin: 'none',
      depth: 'none',
      json: 'content',
      received_ts: 'none',
      attempts: 'none',
      due_ts: 'none',
    },
    purge: deleteRows('room_id', 'event_id'),
    erase: { json: keep('waits for minutes at most; then it is an event and erased as one') },
    redact: each(
      ['event_id', 'json'],
      keep('not an event yet; a redaction on record applies when it is one'),
    ),
    cut: keep('not an event yet'),
  },
  policy_waits: {
    columns: { room_nid: 'room_nid', event_id: 'event_id', since_ts: 'none' },
    purge: deleteRows('room_nid', 'event_id'),
    redact: each(['event_id'], keep('names the event and holds nothing that it says')),
    cut: deleteBy('event_id'),
  },
  stripped_states: {
    columns: { room_nid: 'room_nid', user_id: 'user_id', state: 'content' },
    purge: deleteRows('room_nid', 'user_id'),
    erase: { user_id: deleteRows('user_id', 'room_nid') },
  },
  partial_rooms: {
    columns: {
      room_nid: 'room_nid',
      room_id: 'room_id',
      event_id: 'event_id',
      event_nid: 'event_nid',
      servers: 'none',
      members_known: 'none',
      started_ts: 'none',
      attempts: 'none',
      whole_at: 'none',
      overturned: 'none',
    },
    purge: deleteRows('room_nid', 'room_nid'),
    redact: each(['event_id', 'event_nid'], keep('the join event by which the rest is asked for')),
    cut: keep('the history of such rooms is not cut'),
  },
}
