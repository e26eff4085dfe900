import {
  deleteExpiredPreviews,
  forgetPreviewImage,
  listForgottenImages,
} from '@causeway/store/tables/url-previews.ts'
import type { Homeserver } from '../homeserver.ts'
import { deleteMedia } from '../media/delete-media.ts'
import type { Chore } from '../ops/housekeeping.ts'

const HOUR_MS = 3_600_000
/** Expired ones are still answered where the page fails; their pictures are kept longer (see `makePreview`). */
const KEPT_MS = 24 * HOUR_MS
const PORTION = 500

/** Deletes previews that nobody has asked for since they expired, and pictures that nobody is shown any more. */
export function forgetPreviews(hs: Pick<Homeserver, 'db' | 'log' | 'blobs' | 'media' | 'clock'>): Chore {
  return {
    name: 'forget old previews',
    everyMs: HOUR_MS,
    run: async () => {
      while ((await deleteExpiredPreviews(hs.db, hs.clock.now() - KEPT_MS, PORTION)) === PORTION) {
        await hs.clock.sleep(50)
      }
      for (;;) {
        const images = await listForgottenImages(hs.db, hs.clock.now(), PORTION)
        for (const mediaId of images) {
          await deleteMedia(hs, mediaId)
          await hs.log.append({ entries: [], steps: [forgetPreviewImage(mediaId)] })
        }
        if (images.length < PORTION) return
        await hs.clock.sleep(50)
      }
    },
  }
}
