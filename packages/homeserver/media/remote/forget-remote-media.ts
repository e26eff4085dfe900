import {
  deleteRemoteMediaRow,
  listUnusedRemoteMedia,
  findRemoteMediaRow,
  sumRemoteMedia,
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

/** Deletes media of other servers, what was asked for longest ago first, until the rest is as small as it should be. */
export function limitRemoteMedia(hs: Deps & Pick<Homeserver, 'clock' | 'config'>): Chore {
  return {
    name: 'limit what is kept of media of other servers',
    everyMs: HOUR_MS,
    run: async () => {
      const { remote_max_size: max } = hs.config.media
      if (max === undefined) return
      let over = (await sumRemoteMedia(hs.db)) - max
      while (over > 0) {
        const rows = await listUnusedRemoteMedia(hs.db, Number.MAX_SAFE_INTEGER, PORTION)
        if (rows.length === 0) return
        for (const row of rows) {
          if (over <= 0) return
          await deleteRemoteMedia(hs, row.server_name, row.media_id)
          over -= row.size
        }
        await hs.clock.sleep(50)
      }
    },
  }
}
