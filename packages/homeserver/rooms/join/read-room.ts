import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { RoomEngine } from '../engine.ts'
import { findHead } from '../load-head.ts'
import { abandonWrite, beginWrite, type RoomWrite } from '../room-write.ts'

/**
 * Looks at a room as a write would find it, in its queue, and writes nothing. Throws `M_NOT_FOUND` for a room that
 * we do not know.
 */
export function readRoom<T>(
  engine: RoomEngine,
  roomId: RoomId,
  read: (write: RoomWrite) => Promise<T>,
): Promise<T> {
  return engine.queue.serial(roomId, async () => {
    const head = await findHead(engine, roomId)
    if (head === undefined) throw notFound(`This server does not know the room ${roomId}`)
    const write = beginWrite(head)
    try {
      return await read(write)
    } finally {
      abandonWrite(write)
    }
  })
}
