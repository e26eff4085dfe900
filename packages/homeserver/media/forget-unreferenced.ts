import { formatMxc } from '@causeway/matrix/ids/mxc.ts'
import { findMediaRow } from '@causeway/store/tables/media.ts'
import {
  areReferencesComplete,
  deleteUnreferencedMedia,
  forgetUnreferenced,
  listAccountDataNaming,
  listUnreferencedMedia,
  type AccountDataPlace,
} from '@causeway/store/tables/media-references.ts'
import type { Homeserver } from '../homeserver.ts'
import type { Chore } from '../ops/housekeeping.ts'
import { deleteUnusedBlob } from './delete-media.ts'

type Deps = Pick<Homeserver, 'serverName' | 'config' | 'db' | 'log' | 'blobs' | 'media' | 'clock'>

const HOUR_MS = 3_600_000
const PORTION = 100
/** Account data read at a time. */
const PAGE = 500

/**
 * Deletes uploads that only events referred to which have been gone for long enough, redacted or removed with their room's
 * history: nothing that any other event, an event that is still to be sent, a profile or somebody's account data names.
 * Nothing as long as old events have not been looked through.
 */
export function forgetUnreferencedMedia(hs: Deps): Chore {
  return {
    name: 'forget media of events that are gone',
    everyMs: HOUR_MS,
    run: async () => {
      if (!(await areReferencesComplete(hs.db))) return
      // What is kept is noted anew, as of later than this.
      const before = hs.clock.now() - hs.config.media.redacted_kept
      for (;;) {
        const ids = await listUnreferencedMedia(hs.db, before, PORTION)
        const named = await findInAccountData(hs, ids)
        for (const id of ids) await forgetOne(hs, id, named.has(id))
        if (ids.length < PORTION) return
        await hs.clock.sleep(50)
      }
    },
  }
}

/** Those of some media that anybody's account data names. Reads what of it names media of ours, once for all. */
async function findInAccountData(
  { db, serverName }: Deps,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const named = new Set<string>()
  if (ids.length === 0) return named
  const prefix = `mxc://${serverName}/`
  let after: AccountDataPlace = { user_id: '', room_nid: Number.MIN_SAFE_INTEGER, type: '' }
  for (;;) {
    const rows = await listAccountDataNaming(db, prefix, after, PAGE)
    for (const { content } of rows) for (const id of ids) if (content.includes(prefix + id)) named.add(id)
    if (rows.length < PAGE) return named
    after = rows.at(-1)!
  }
}

async function forgetOne(hs: Deps, mediaId: string, isNamed: boolean): Promise<void> {
  const row = await findMediaRow(hs.db, mediaId)
  if (row === undefined || isNamed) {
    await hs.log.append({ entries: [], steps: [forgetUnreferenced(mediaId)] })
    return
  }
  const steps = deleteUnreferencedMedia(mediaId, formatMxc(hs.serverName, mediaId)!, hs.clock.now() + 1)
  if (row.hash === '') {
    await hs.log.append({ entries: [], steps })
    return
  }
  await hs.media.blobQueue.serial(row.hash, async () => {
    await hs.log.append({ entries: [], steps })
    // Spares it when the row is still there.
    await deleteUnusedBlob(hs, row.hash)
  })
}
