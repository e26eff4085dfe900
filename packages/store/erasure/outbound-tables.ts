import { deleteRows, keep, type ErasureList } from './rules.ts'

const IN_FLIGHT = keep('what is fixed is sent again as it stands until it is answered, and then goes')

const GONE = keep('numbers of events: those that are gone when their turn comes are left out')

/** What other servers are still to be sent. */
export const outboundTables: ErasureList = {
  outbound_sets: { columns: { nid: 'none', servers: 'none' } },
  outbound_events: {
    columns: { room_nid: 'room_nid', nid: 'event_nid', set_nid: 'none', also: 'none' },
    purge: deleteRows('room_nid', 'nid'),
    redact: { nid: keep('a number: the event is read in its redacted form when its turn comes') },
    cut: GONE,
  },
  outbound_rooms: {
    columns: {
      server_name: 'none',
      room_nid: 'room_nid',
      from_nid: 'event_nid',
      parted_nid: 'event_nid',
      revision: 'none',
    },
    purge: deleteRows('room_nid', 'server_name'),
    redact: {
      from_nid: keep('a number: events from here on are unsent, redacted or not'),
      parted_nid: keep('a number: the event is read in its redacted form when its turn comes'),
    },
    cut: GONE,
  },
  outbound_sticky: {
    columns: { server_name: 'none', room_nid: 'room_nid', from_position: 'none', end_position: 'none' },
    purge: deleteRows('room_nid', 'server_name'),
  },
  outbound_transactions: {
    columns: {
      server_name: 'none',
      txn_id: 'none',
      created_ts: 'none',
      pdus: 'event_nid',
      edus: 'content',
      to_device_upto: 'none',
    },
    purge: keep('numbers of events: those that are gone when it is sent are left out'),
    erase: { edus: IN_FLIGHT },
    redact: {
      pdus: keep('numbers: the event is read in its redacted form when it is sent'),
      edus: IN_FLIGHT,
    },
    cut: GONE,
  },
  outbound_to_device: {
    columns: { server_name: 'none', seq: 'none', edu: 'content' },
    erase: { edu: keep('a message on its way to a device of another server, whose user shall have it') },
    redact: { edu: keep('no event, and encrypted for the device that it is for') },
  },
  device_changes: {
    columns: { user_id: 'user_id', device_id: 'none', position: 'none', previous: 'none', deleted: 'none' },
    erase: { user_id: keep('others still have to learn that the devices are gone') },
  },
}
