import { deleteRows, keep, rewrite, type ErasureList } from './rules.ts'

const WITH_NAMES = 'goes with the names: erasing a user takes the words of their names first'
const TAKEN_OFF = keep(
  'the directory, told of the purge, takes the members off with their names, and the row last',
)

/** Whom people find when they look for somebody. */
export const directoryTables: ErasureList = {
  directory_rooms: {
    columns: { room_nid: 'room_nid', is_live: 'none', is_public: 'none', walk: 'none', walked_to: 'content' },
    purge: TAKEN_OFF,
    erase: { walked_to: keep('how far a walk over members has got; emptied at its end') },
  },
  directory_names: {
    columns: { nid: 'none', user_id: 'user_id', display_name: 'content', avatar_url: 'content' },
    erase: { user_id: deleteRows('user_id', 'nid') },
  },
  directory_shown: {
    columns: { name_nid: 'none', room_nid: 'room_nid' },
    purge: TAKEN_OFF,
  },
  directory_words: {
    columns: { word: 'content', name_nid: 'none' },
    erase: { word: rewrite(WITH_NAMES) },
  },
}
