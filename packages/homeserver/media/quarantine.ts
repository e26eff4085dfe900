import { findMediaRow, listMediaOfUploader } from '@causeway/store/tables/media.ts'
import {
  deleteQuarantinedBlob,
  insertQuarantinedBlob,
  isQuarantined,
} from '@causeway/store/tables/quarantined-blobs.ts'
import { findRemoteMediaRow } from '@causeway/store/tables/remote-media.ts'
import type { Homeserver } from '../homeserver.ts'

type Deps = Pick<Homeserver, 'serverName' | 'db' | 'log' | 'media' | 'clock'>

/** Content that the operators have taken out of use was to be kept. */
export class QuarantinedContent extends Error {
  override readonly name = 'QuarantinedContent'
}

/** One piece of media, here or fetched from another server. */
export interface MediaPlace {
  readonly serverName: string
  readonly mediaId: string
}

const PORTION = 500

async function findHash({ serverName, db }: Deps, place: MediaPlace): Promise<string | undefined> {
  const row =
    place.serverName === serverName
      ? await findMediaRow(db, place.mediaId)
      : await findRemoteMediaRow(db, place.serverName, place.mediaId)
  return row === undefined || row.hash === '' ? undefined : row.hash
}

async function quarantineBlob({ log, media, clock }: Deps, hash: string): Promise<void> {
  await media.blobQueue.serial(hash, () =>
    log.append({ entries: [], steps: [insertQuarantinedBlob(hash, clock.now())] }),
  )
}

/**
 * Takes content out of use: whatever has these bytes is not found, whoever sent it, here or elsewhere, and they
 * cannot be uploaded again. The bytes stay, as evidence, until the media is deleted.
 * @returns whether there is such media
 */
export async function quarantineMedia(hs: Deps, place: MediaPlace): Promise<boolean> {
  const hash = await findHash(hs, place)
  if (hash === undefined) return false
  await quarantineBlob(hs, hash)
  return true
}

/** The same for everything that somebody uploaded. @returns how much it was */
export async function quarantineMediaOf(hs: Deps, uploader: string): Promise<number> {
  let [sinceTs, quarantined] = [0, 0]
  const seen = new Set<string>()
  for (;;) {
    const rows = await listMediaOfUploader(hs.db, uploader, sinceTs, PORTION)
    const fresh = rows.filter((row) => !seen.has(row.media_id))
    for (const { media_id: mediaId, hash } of fresh) {
      seen.add(mediaId)
      if (hash === '') continue
      await quarantineBlob(hs, hash)
      quarantined++
    }
    if (rows.length < PORTION || fresh.length === 0) return quarantined
    sinceTs = rows.at(-1)!.created_ts
  }
}

/** Content can be used again. @returns whether it was quarantined */
export async function releaseBlob(hs: Deps, hash: string): Promise<boolean> {
  if (!(await isQuarantined(hs.db, hash))) return false
  await hs.media.blobQueue.serial(hash, () =>
    hs.log.append({ entries: [], steps: [deleteQuarantinedBlob(hash)] }),
  )
  return true
}

/** The same for the content of a piece of media. */
export async function releaseMedia(hs: Deps, place: MediaPlace): Promise<boolean> {
  const hash = await findHash(hs, place)
  return hash !== undefined && releaseBlob(hs, hash)
}
