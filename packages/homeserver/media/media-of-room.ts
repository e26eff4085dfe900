import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Mxc } from '@causeway/matrix/ids/ids.ts'
import { parseJsonObject } from '@causeway/matrix/json/parse.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { listEventsNamingMedia } from '@causeway/store/tables/media-references.ts'
import { findMxcs } from '../rooms/media-references.ts'

const PORTION = 500
/** So many are known apart; of more, some may come twice. */
const MAX_KNOWN = 100_000

/**
 * Addresses of the media that a room's events name, of this and of other servers, but for the pictures of its members,
 * which are theirs in every room. Looks through all of the room.
 */
export async function* mediaOfRoom(db: Database, roomNid: number): AsyncGenerator<Mxc> {
  const known = new Set<Mxc>()
  for (let after = Number.MIN_SAFE_INTEGER; ;) {
    const rows = await listEventsNamingMedia(db, roomNid, after, PORTION)
    for (const { json } of rows) {
      const { type, content } = parseJsonObject(json)
      if (type === 'm.room.member') continue
      for (const mxc of findMxcs(content as JsonObject)) {
        if (known.has(mxc)) continue
        if (known.size === MAX_KNOWN) known.clear()
        known.add(mxc)
        yield mxc
      }
    }
    if (rows.length < PORTION) return
    after = rows.at(-1)!.nid
  }
}
