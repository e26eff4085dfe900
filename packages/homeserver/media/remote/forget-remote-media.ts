import {
  deleteRemoteMediaRow,
  listUnusedRemoteMedia,
  findRemoteMediaRow,
} from '@causeway/store/tables/remote-media.ts'
import type { Homeserver } from '../../homeserver.ts'
import type { Chore } from '../../ops/housekeeping.ts'
import { deleteUnusedBlob } from '../delete-media.ts'

type Deps = Pick<Homeserver, 'db' | 'log' | 'blobs' | 'media'>

const HOUR_MS = 3_600_000
const PORTION = 100

/**
 * Deletes what is kept of a piece of media of another server; it is fetched anew when somebody asks for it.
 * @returns whether there was any
 */
export async function deleteRemoteMedia(hs: Deps, serverName: string, mediaId: string): Promise<boolean> {
  const row = await findRemoteMediaRow(hs.db, serverName, mediaId)
  if (row === undefined) return false
  await hs.media.blobQueue.serial(row.hash, async () => {
    await hs.log.append({ entries: [], steps: [deleteRemoteMediaRow(serverName, mediaId)] })
    await deleteUnusedBlob(hs, row.hash)
  })
  return true
}

/** Deletes media of other servers that nobody has asked for in a long time. */
export function forgetUnusedMedia(hs: Deps & Pick<Homeserver, 'clock' | 'config'>): Chore {
  return {
    name: 'forget unused media of other servers',
    everyMs: HOUR_MS,
    run: async () => {
      const keptMs = hs.config.media.remote_kept_days * 24 * HOUR_MS
      for (;;) {
        const rows = await listUnusedRemoteMedia(hs.db, hs.clock.now() - keptMs, PORTION)
        for (const row of rows) await deleteRemoteMedia(hs, row.server_name, row.media_id)
        if (rows.length < PORTION) return
        await hs.clock.sleep(50)
      }
    },
  }
}
