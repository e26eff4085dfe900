import { DELETE, deleteBy, deleteRows, each, keep, rewrite, withEvents, type ErasureList } from './rules.ts'

const OWN_GRAPH = keep('the graph stays: who was where follows from events whose redacted form says so, too')

const STATE = keep('state is not cut off')

const OF_RECORD = keep('that it was done, and when; forgotten after a month')

/** The log, rooms, events and their state; what follows from events by columns of its own. */
export const coreTables: ErasureList = {
  schema_migrations: { columns: { name: 'none', checksum: 'none', applied_ts: 'none' } },
  log_state: { columns: { id: 'none', position: 'none', historical: 'none', epoch: 'none' } },
  cursors: { columns: { name: 'none', position: 'none' } },
  rooms: {
    columns: { nid: 'room_nid', room_id: 'room_id', room_version: 'none', version: 'none', head: 'event_id' },
    purge: {
      do: 'delete_last',
      why: 'renamed first, so that nothing more is written; its number is free when all else is gone',
    },
    redact: { head: keep('the newest events are named, redacted or not') },
    cut: keep('what the next event follows is not cut off'),
  },
  events: {
    columns: {
      nid: 'event_nid',
      event_id: 'event_id',
      room_nid: 'room_nid',
      depth: 'none',
      state_root: 'none',
      state_before: 'none',
      flags: 'none',
      state_nid: 'none',
      room_root: 'none',
      json: 'content',
    },
    purge: deleteRows('room_nid', 'nid'),
    erase: { json: rewrite('messages and memberships of the user get their redacted form') },
    redact: {
      ...each(['nid', 'event_id'], keep('the redacted form has the same id')),
      json: rewrite('the redacted form, whose id and signatures still verify'),
    },
    cut: deleteBy('nid'),
  },
  event_rejections: {
    columns: { event_nid: 'event_nid', room_nid: 'room_nid', reason: 'none' },
    purge: withEvents('event_nid'),
    redact: { event_nid: keep('why an event was refused, in words of ours') },
  },
  sticky_events: {
    columns: {
      event_nid: 'event_nid',
      room_nid: 'room_nid',
      position: 'none',
      until_ts: 'none',
      is_ours: 'none',
    },
    purge: deleteRows('room_nid', 'event_nid'),
    redact: { event_nid: DELETE },
  },
  state_nodes: {
    columns: { room_nid: 'room_nid', node_nid: 'none', data: 'none' },
    purge: deleteRows('room_nid', 'node_nid'),
  },
  state_events: {
    columns: { room_nid: 'room_nid', state_nid: 'none', event_nid: 'event_nid', auth: 'none' },
    purge: deleteRows('room_nid', 'state_nid'),
    redact: { event_nid: keep('a redacted event is state as before') },
    cut: STATE,
  },
  state_keys: {
    columns: { room_nid: 'room_nid', key_nid: 'none', type: 'none', state_key: 'user_id' },
    purge: deleteRows('room_nid', 'key_nid'),
    erase: { state_key: OWN_GRAPH },
  },
  memberships: {
    columns: {
      user_id: 'user_id',
      room_nid: 'room_nid',
      membership: 'none',
      event_nid: 'event_nid',
      is_local: 'none',
      forgotten: 'none',
    },
    purge: deleteRows('room_nid', 'membership', 'is_local', 'user_id'),
    erase: { user_id: OWN_GRAPH },
    redact: { event_nid: keep('redaction keeps the membership') },
    cut: STATE,
  },
  relations: {
    columns: {
      event_nid: 'event_nid',
      room_nid: 'room_nid',
      parent_event_id: 'event_id',
      rel_type: 'none',
      type: 'none',
      sender: 'user_id',
      aggregation_key: 'content',
    },
    purge: withEvents('event_nid'),
    erase: { sender: rewrite('rows go when the events get their redacted form') },
    redact: {
      event_nid: DELETE,
      parent_event_id: keep('what relates to a redacted event still does so'),
    },
  },
  redactions: {
    columns: { event_nid: 'event_nid', room_nid: 'room_nid', redacts: 'event_id' },
    purge: withEvents('event_nid'),
    redact: each(['event_nid', 'redacts'], keep('a redaction is not undone by redacting it')),
  },
  client_transactions: {
    columns: { key: 'none', created_ts: 'none', event_nid: 'event_nid', response: 'none' },
    purge: keep('numbers of events whose ids answer repeated requests; forgotten after two days'),
    redact: { event_nid: keep('the redacted event has the same number and id') },
    cut: keep('numbers of events whose ids answer repeated requests; forgotten after two days'),
  },
  room_aliases: {
    columns: { alias: 'none', room_id: 'room_id', creator: 'user_id' },
    purge: deleteRows('room_id', 'alias'),
    erase: { creator: keep("who may remove the alias; the alias is the room's, not theirs") },
  },
  published_rooms: {
    columns: { room_nid: 'room_nid' },
    purge: deleteRows('room_nid', 'room_nid'),
  },
  jobs: {
    columns: {
      id: 'none',
      kind: 'none',
      subject: 'content',
      input: 'content',
      progress: 'content',
      error: 'none',
      created_ts: 'none',
      updated_ts: 'none',
      finished_ts: 'none',
    },
    purge: OF_RECORD,
    erase: each(['subject', 'input', 'progress'], OF_RECORD),
  },
}
