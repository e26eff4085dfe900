import { DELETE, withEvents, type ErasureList } from './rules.ts'

/** What messages are found by: on SQLite triggers take what goes here out of the full-text index, in the same write. */
export const searchTables: ErasureList = {
  search_documents: {
    columns: { event_nid: 'event_nid', room_nid: 'room_nid', tokens: 'content' },
    purge: withEvents('event_nid'),
    redact: { event_nid: DELETE },
  },
}
