import { deleteFew, deleteRows, keep, type ErasureList } from './rules.ts'

const IN_FLIGHT = keep('what is fixed is sent again as it stands until it is answered, and then goes')

/** What application services are sent. */
export const appserviceTables: ErasureList = {
  appservices: {
    columns: { nid: 'none', appservice_id: 'none', registration: 'none', last_txn: 'none' },
  },
  appservice_members: {
    columns: { room_nid: 'room_nid', appservice_nid: 'none', user_id: 'user_id' },
    purge: deleteRows('room_nid', 'appservice_nid', 'user_id'),
    erase: { user_id: keep('the account leaves its rooms, and the row goes by that') },
  },
  appservice_pending: {
    columns: { appservice_nid: 'none', seq: 'none', items: 'event_nid' },
    purge: keep('numbers of events, and whose devices changed: what is gone when its turn comes is left out'),
    redact: { items: keep('numbers: the event is read in its redacted form when its turn comes') },
    cut: keep('numbers: those that are gone when their turn comes are left out'),
  },
  appservice_transactions: {
    columns: { appservice_nid: 'none', txn: 'none', body: 'content', to_device: 'none' },
    purge: IN_FLIGHT,
    erase: { body: IN_FLIGHT },
    redact: { body: IN_FLIGHT },
  },
  appservice_key_counts: {
    columns: { user_id: 'user_id', device_id: 'none', appservice_nid: 'none', claims: 'none' },
    erase: { user_id: deleteRows('user_id', 'device_id') },
  },
  appservice_published_rooms: {
    columns: { network_id: 'none', room_nid: 'room_nid', appservice_id: 'none' },
    purge: deleteFew('room_nid', 'network_id'),
  },
}
