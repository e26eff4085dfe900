import { formatMxc } from '@causeway/matrix/ids/mxc.ts'
import { findMediaRow } from '@causeway/store/tables/media.ts'
import {
  areReferencesComplete,
  deleteUnreferencedRow,
  forgetUnreferenced,
  isInAccountData,
  listUnreferencedMedia,
} from '@causeway/store/tables/media-references.ts'
import type { Homeserver } from '../homeserver.ts'
import type { Chore } from '../ops/housekeeping.ts'
import { deleteUnusedBlob } from './delete-media.ts'

type Deps = Pick<Homeserver, 'serverName' | 'config' | 'db' | 'log' | 'blobs' | 'media' | 'clock'>

const HOUR_MS = 3_600_000
const PORTION = 100

/**
 * Deletes uploads that only events referred to which have been redacted for long enough: nothing that any other event,
 * a profile or somebody's account data names. Nothing as long as old events have not been looked through.
 */
export function forgetUnreferencedMedia(hs: Deps): Chore {
  return {
    name: 'forget media of redacted events',
    everyMs: HOUR_MS,
    run: async () => {
      if (!(await areReferencesComplete(hs.db))) return
      for (;;) {
        const before = hs.clock.now() - hs.config.media.redacted_kept
        const ids = await listUnreferencedMedia(hs.db, before, PORTION)
        for (const id of ids) await forgetOne(hs, id)
        if (ids.length < PORTION) return
        await hs.clock.sleep(50)
      }
    },
  }
}

async function forgetOne(hs: Deps, mediaId: string): Promise<void> {
  const row = await findMediaRow(hs.db, mediaId)
  const mxc = formatMxc(hs.serverName, mediaId)!
  const forget = forgetUnreferenced(mediaId)
  if (row === undefined || (await isInAccountData(hs.db, mxc))) {
    await hs.log.append({ entries: [], steps: [forget] })
    return
  }
  const steps = [deleteUnreferencedRow(mediaId, mxc), forget]
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
