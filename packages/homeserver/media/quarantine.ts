import { splitMxc } from '@causeway/matrix/ids/mxc.ts'
import { findMediaRow, listMediaOfUploader, setMediaProtected } from '@causeway/store/tables/media.ts'
import {
  deleteQuarantinedBlob,
  insertQuarantinedBlob,
  isQuarantined,
} from '@causeway/store/tables/quarantined-blobs.ts'
import { findRemoteMediaRow } from '@causeway/store/tables/remote-media.ts'
import type { Homeserver } from '../homeserver.ts'
import { mediaOfRoom } from './media-of-room.ts'

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

/**
 * What became of media that was to be taken out of use: it is, also where it was before; it is protected, or another upload
 * with the same content is; or there is none here.
 */
export type Quarantined = 'quarantined' | 'protected' | 'unknown'

const PORTION = 500

async function findHash({ serverName, db }: Deps, place: MediaPlace): Promise<string | undefined> {
  const row =
    place.serverName === serverName
      ? await findMediaRow(db, place.mediaId)
      : await findRemoteMediaRow(db, place.serverName, place.mediaId)
  return row === undefined || row.hash === '' ? undefined : row.hash
}

async function quarantineBlob(
  { db, log, media, clock }: Deps,
  hash: string,
  by: string,
): Promise<Quarantined> {
  return await media.blobQueue.serial(hash, async () => {
    const row = { hash, since_ts: clock.now(), quarantined_by: by }
    await log.append({ entries: [], steps: [insertQuarantinedBlob(row)] })
    return (await isQuarantined(db, hash)) ? 'quarantined' : 'protected'
  })
}

/**
 * Takes content out of use: whatever has these bytes is not found, whoever sent it, here or elsewhere, and they
 * cannot be uploaded again. The bytes stay, as evidence, until the media is deleted.
 * @param by who does it: a user id, or where on the command line
 */
export async function quarantineMedia(hs: Deps, place: MediaPlace, by: string): Promise<Quarantined> {
  const hash = await findHash(hs, place)
  return hash === undefined ? 'unknown' : quarantineBlob(hs, hash, by)
}

/** The same for everything that somebody uploaded. @returns how much of it is out of use */
export async function quarantineMediaOf(hs: Deps, uploader: string, by: string): Promise<number> {
  let [sinceTs, quarantined] = [0, 0]
  const seen = new Set<string>()
  for (;;) {
    const rows = await listMediaOfUploader(hs.db, uploader, sinceTs, PORTION)
    const fresh = rows.filter((row) => !seen.has(row.media_id))
    for (const { media_id: mediaId, hash } of fresh) {
      seen.add(mediaId)
      if (hash !== '' && (await quarantineBlob(hs, hash, by)) === 'quarantined') quarantined++
    }
    if (rows.length < PORTION || fresh.length === 0) return quarantined
    sinceTs = rows.at(-1)!.created_ts
  }
}

/**
 * The same for everything that events of a room name, as far as it is here: what was never fetched of another server is
 * not, and what is encrypted is not seen. @returns how much of it is out of use
 */
export async function quarantineMediaInRoom(hs: Deps, roomNid: number, by: string): Promise<number> {
  let quarantined = 0
  for await (const mxc of mediaOfRoom(hs.db, roomNid))
    if ((await quarantineMedia(hs, splitMxc(mxc), by)) === 'quarantined') quarantined++
  return quarantined
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

/** An upload that was looked at: its content is not taken out of use, or may be again. @returns whether there is such an upload */
export async function protectMedia({ db }: Deps, mediaId: string, isProtected: boolean): Promise<boolean> {
  const { ok } = await db.commit({ entries: [], steps: [setMediaProtected(mediaId, isProtected)] })
  return ok
}
