import { deleteRows, each, keep, rewrite, type ErasureList } from './rules.ts'

const WITH_NAMES = 'goes with the names: erasing a user takes the words of their names first'
const TAKEN_OFF = keep(
  'the directory, told of the purge, takes the members off with their names, and the row last',
)

const SAID_OF_ROOMS = [
  'name',
  'canonical_alias',
  'encryption',
  'join_rules',
  'guest_access',
  'history_visibility',
  'room_type',
  'avatar',
  'folded_name',
  'folded_alias',
]

/** Whom people find when they look for somebody, and rooms as operators look for them. */
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
  room_descriptions: {
    columns: {
      room_nid: 'room_nid',
      is_due: 'none',
      creator: 'user_id',
      federatable: 'none',
      ...each(SAID_OF_ROOMS, 'content' as const),
    },
    purge: deleteRows('room_nid', 'room_nid'),
    erase: {
      creator: keep('it follows from the first event, whose redacted form says so, too'),
      ...each(SAID_OF_ROOMS, keep('state is the room’s, and stays')),
    },
    redact: each(
      SAID_OF_ROOMS,
      rewrite('whoever keeps the list sees the redaction, and reads the room anew'),
    ),
  },
  directory_words: {
    columns: { word: 'content', name_nid: 'none' },
    erase: { word: rewrite(WITH_NAMES) },
  },
}
