import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { parseJsonObject } from '@causeway/matrix/json/parse.ts'
import {
  areReferencesComplete,
  completeReferences,
  insertOldMediaReference,
  listEventsAfter,
} from '@causeway/store/tables/media-references.ts'
import { findOwnMediaIds } from '../rooms/media-references.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import type { JobKind } from './job.ts'
import type { Jobs } from './runner.ts'

const KIND = 'index_media'
const PORTION = 1_000

/** Begins to look through the events from before references to media were kept, if there are any. */
export async function indexOldMedia({ rooms, jobs }: { rooms: RoomEngine; jobs: Jobs }): Promise<void> {
  if (!(await areReferencesComplete(rooms.db))) await jobs.start(KIND, 'media')
}

/** Writes down which of our media the events refer to that were there before new ones did so by themselves. */
export function indexMediaKind({ db, serverName }: RoomEngine): JobKind {
  const mark = Buffer.from(`mxc://${serverName}/`)
  return {
    name: KIND,
    async run(work) {
      let { after = Number.MIN_SAFE_INTEGER, events = 0 } = work.progress as {
        after?: number
        events?: number
      }
      for (;;) {
        const rows = await listEventsAfter(db, after, PORTION)
        const naming = rows.filter(({ json }) =>
          Buffer.from(json.buffer, json.byteOffset, json.length).includes(mark),
        )
        const steps = naming.flatMap(({ nid, json }) => {
          const { content } = parseJsonObject(json)
          return [...findOwnMediaIds(serverName, content as JsonObject)].map((id) =>
            insertOldMediaReference(id, nid),
          )
        })
        after = rows.at(-1)?.nid ?? after
        events += rows.length
        const isLast = rows.length < PORTION
        await work.save({ after, events }, isLast ? [...steps, completeReferences()] : steps)
        if (isLast) return
      }
    },
  }
}
