import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { hasAnnotation, onlyAnnotation } from '@causeway/store/tables/relations.ts'
import type { RoomEngine } from './engine.ts'
import { findEvent } from './read-events.ts'
import { relationOf } from './relation.ts'
import type { EventDraft, RoomWrite } from './room-write.ts'

/**
 * Refuses relations that a server should not take from its own users: the same reaction twice
 * (`M_DUPLICATE_ANNOTATION`), and a thread whose root relates to something itself (`M_UNKNOWN`, 400). Costs
 * nothing for what is no relation. Only inside the room's queue.
 * https://spec.matrix.org/v1.19/client-server-api/#avoiding-duplicate-annotations
 */
export async function checkRelation(engine: RoomEngine, write: RoomWrite, draft: EventDraft): Promise<void> {
  const relation = draft.stateKey === undefined ? relationOf(draft.content) : undefined
  if (relation?.relType === 'm.annotation') {
    const { roomNid } = write.head
    const annotation = { ...relation, roomNid, type: draft.type, sender: draft.sender }
    if (await hasAnnotation(engine.db, annotation)) {
      throw new MatrixError('M_DUPLICATE_ANNOTATION', 'You have given this event the same reaction already')
    }
    // An equal one may wait for the disk at this moment, and is in no table yet.
    write.steps.push(onlyAnnotation(annotation))
  }
  if (relation?.relType === 'm.thread') {
    const root = await findEvent(engine, relation.parentEventId as EventId)
    if (root !== undefined && relationOf(root.content) !== undefined) {
      throw new MatrixError('M_UNKNOWN', 'A thread cannot start at an event that relates to another', {
        status: 400,
      })
    }
  }
}
