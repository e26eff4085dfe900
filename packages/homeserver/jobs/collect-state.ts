import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { collectStateNodes, type CollectOptions } from '@causeway/store/state/collect.ts'
import type { JobRecord } from '@causeway/store/tables/jobs.ts'
import { findRoomRow } from '@causeway/store/tables/rooms.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { parseHead, type RoomHead } from '../rooms/head.ts'
import { findRoom } from '../rooms/load-head.ts'
import { JobRefused, type JobKind } from './job.ts'
import type { Jobs } from './runner.ts'

const KIND = 'collect_state'
/** Rows that one step reads, or numbers that it deletes. */
const PORTION = 2_000

/** Begins to delete what of a room's stored state no event refers to any more. Throws `M_NOT_FOUND`. */
export async function collectRoomState(
  { rooms: engine, jobs }: { readonly rooms: RoomEngine; readonly jobs: Jobs },
  roomId: RoomId,
): Promise<JobRecord> {
  const room = await findRoom(engine, roomId)
  if (room === undefined) throw notFound(`This server does not know the room ${roomId}`)
  return await jobs.start(KIND, roomId)
}

/**
 * What is in use beside the events, and where new nodes begin: from the room's row, after the writes before this
 * one have come to an end and before any other is built. The head in memory may be ahead of what will be true.
 */
async function readRoots(
  engine: RoomEngine,
  roomId: RoomId,
): Promise<(Pick<CollectOptions, 'roots' | 'below'> & { roomNid: number }) | undefined> {
  return await engine.queue.serial(roomId, async () => {
    // Writes end in order.
    await engine.db.commit({ entries: [], steps: [] })
    const row = await findRoomRow(engine.db, roomId)
    if (row === undefined) return undefined
    const { stateRoot, next } = parseHead(row, NO_OVERLAYS)
    return { roomNid: row.nid, roots: [stateRoot], below: next.node }
  })
}

/** Only numbers are read from the row. */
const NO_OVERLAYS = {} as Pick<RoomHead, 'nodes' | 'keys'>

export function collectStateKind(engine: RoomEngine): JobKind {
  return {
    name: KIND,
    async run(work) {
      const start = await readRoots(engine, work.subject as RoomId)
      if (start === undefined) throw new JobRefused('The room is gone')
      const { roomNid, ...options } = start
      const collection = collectStateNodes(engine.db, roomNid, { ...options, budget: PORTION })
      for await (const { phase, marked, deleted } of collection) await work.save({ phase, marked, deleted })
      engine.nodes.forgetRoom(roomNid)
    },
  }
}
