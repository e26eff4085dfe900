import type { Step, WriteValue } from '@causeway/store/db/database.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { NewEvent } from './room-write.ts'
import { parseUserId, serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { deleteMediaReferences } from '@causeway/store/tables/media-references.ts'
import { renumberServer } from '@causeway/store/tables/room-servers.ts'
import { formatAuthNids } from './auth-nids.ts'

/**
 * An event that was held as an outlier becomes part of the graph: its row gets its place and a number of where it
 * belongs now, and so does everything that names it by number. Its number among the room's state events stays,
 * since state trees name it by that.
 */
export function renumberSteps(held: StoredEvent, event: NewEvent, nid: WriteValue): Step[] {
  const { stored, json } = event
  const root = stored.roomRoot === stored.stateRoot ? 0 : stored.roomRoot
  const place = [stored.depth, stored.stateRoot, stored.stateBefore, stored.flags, stored.stateNid, root]
  const steps: Step[] = [
    {
      sql: `UPDATE events SET nid = ?, depth = ?, state_root = ?, state_before = ?, flags = ?, state_nid = ?,
         room_root = ?, json = ? WHERE nid = ?`,
      params: [nid, ...place, json, held.nid],
      expectRows: 1,
    },
    deleteMediaReferences(held.nid),
    { sql: 'DELETE FROM event_rejections WHERE event_nid = ?', params: [held.nid] },
  ]
  if (stored.stateNid === 0) return steps
  const { roomNid, stateNid, stateKey } = stored
  steps.push({
    sql: 'UPDATE state_events SET event_nid = ?, auth = ? WHERE room_nid = ? AND state_nid = ?',
    params: [nid, formatAuthNids(event.auth), roomNid, stateNid],
  })
  if (stored.type === 'm.room.member') {
    steps.push({
      sql: 'UPDATE memberships SET event_nid = ? WHERE user_id = ? AND room_nid = ? AND event_nid = ?',
      params: [nid, stateKey!, roomNid, held.nid],
    })
    const userId = parseUserId(stateKey!)
    if (userId !== undefined) steps.push(renumberServer(roomNid, serverNameOf(userId), held.nid, nid))
  }
  return steps
}
