// https://spec.matrix.org/v1.19/client-server-api/#server-side-key-backups
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { parseJson } from '@causeway/matrix/json/parse.ts'
import type { Database, Step } from '@causeway/store/db/database.ts'
import {
  advanceBackup,
  countBackups,
  deleteSession,
  deleteSessionsUpTo,
  findBackedUpSession,
  findSessionRanks,
  listSessionNames,
  setBackedUpSession,
  type BackedUpSession,
  type BackupId,
  type KeyBackupRow,
  type SessionRank,
} from '@causeway/store/tables/key-backup.ts'
import { readBackup, readCurrentBackup } from './key-backup-versions.ts'

/** Keys that one user may have in all backups. */
const MAX_KEYS = 1_000_000
/** Rows that are removed in one write. */
const PORTION = 2_000
/** How often a change is tried anew when another one comes in between. */
const ATTEMPTS = 10

/** What clients compare to see whether another device has changed the backup. */
export interface BackupState extends JsonObject {
  etag: string
  count: number
}

/** What a change of a backup's keys comes to: steps, and how many keys more or fewer there are then. */
interface Change {
  readonly steps: readonly Step[]
  readonly addedKeys: number
}

/** Plans and writes a change of a backup's keys, anew when another one came in between: count and etag stay true. */
async function changeKeys(
  db: Database,
  id: BackupId,
  plan: () => Promise<Change>,
  read: () => Promise<KeyBackupRow>,
): Promise<BackupState & { changed: boolean }> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const backup = await read()
    const { steps, addedKeys } = await plan()
    const count = backup.key_count + addedKeys
    if (steps.length === 0) return { etag: String(backup.etag), count, changed: false }
    const result = await db.commit({
      entries: [],
      steps: [advanceBackup(id, backup.etag, addedKeys), ...steps],
    })
    if (result.ok) return { etag: String(backup.etag + 1), count, changed: true }
  }
  throw new MatrixError('M_UNKNOWN', 'The key backup is being changed by too many at once; try again')
}

/**
 * Puts keys into the current backup. Of two keys for one session the better one stays. Throws `M_NOT_FOUND`
 * without a backup, `M_WRONG_ROOM_KEYS_VERSION` when another one is current, `M_RESOURCE_LIMIT_EXCEEDED`.
 */
export async function putKeys(
  db: Database,
  id: BackupId,
  sessions: readonly BackedUpSession[],
): Promise<BackupState> {
  const plan = async (): Promise<Change> => {
    const known = await readRanks(db, id, sessions)
    const better = sessions.filter((one) => isBetter(one, known.get(nameOf(one))))
    const addedKeys = better.filter((one) => !known.has(nameOf(one))).length
    if (addedKeys > 0 && (await countBackups(db, id.userId)).keys + addedKeys > MAX_KEYS) {
      throw new MatrixError('M_RESOURCE_LIMIT_EXCEEDED', `Your backups may hold ${MAX_KEYS} keys in all`)
    }
    return { addedKeys, steps: better.map((one) => setBackedUpSession(id, one)) }
  }
  const { etag, count } = await changeKeys(db, id, plan, () => readWritable(db, id))
  return { etag, count }
}

async function readWritable(db: Database, id: BackupId): Promise<KeyBackupRow> {
  const current = await readCurrentBackup(db, id.userId)
  if (current.version === id.version) return current
  throw new MatrixError('M_WRONG_ROOM_KEYS_VERSION', 'This is not the current version of your key backup', {
    extra: { current_version: String(current.version) },
  })
}

function nameOf(session: Pick<SessionRank, 'room_id' | 'session_id'>): string {
  return `${session.room_id}|${session.session_id}`
}

async function readRanks(
  db: Database,
  id: BackupId,
  sessions: readonly BackedUpSession[],
): Promise<Map<string, SessionRank>> {
  const byRoom = Map.groupBy(sessions, (session) => session.room_id)
  const found = new Map<string, SessionRank>()
  for (const [roomId, ofRoom] of byRoom) {
    const names = ofRoom.map((session) => session.session_id)
    for (const rank of await findSessionRanks(db, id, roomId, names)) found.set(nameOf(rank), rank)
  }
  return found
}

function isBetter(one: SessionRank, known: SessionRank | undefined): boolean {
  if (known === undefined) return true
  if (one.is_verified !== known.is_verified) return one.is_verified > known.is_verified
  if (one.first_message_index !== known.first_message_index)
    return one.first_message_index < known.first_message_index
  return one.forwarded_count < known.forwarded_count
}

/** Removes all keys of a backup, or of a room in it, in portions. Throws `M_NOT_FOUND`. */
export async function deleteKeys(db: Database, id: BackupId, roomId?: string): Promise<BackupState> {
  const plan = async (): Promise<Change> => {
    const names = await listSessionNames(db, id, roomId, PORTION)
    const last = names.at(-1)
    if (last === undefined) return { steps: [], addedKeys: 0 }
    return { steps: [deleteSessionsUpTo(id, last, { roomId, rows: names.length })], addedKeys: -names.length }
  }
  for (;;) {
    const { etag, count, changed } = await changeKeys(db, id, plan, () => readBackup(db, id))
    if (!changed) return { etag, count }
  }
}

/** Removes one key; none there is no mistake. Throws `M_NOT_FOUND` for an unknown backup. */
export async function deleteKey(
  db: Database,
  id: BackupId,
  roomId: string,
  sessionId: string,
): Promise<BackupState> {
  const plan = async (): Promise<Change> =>
    (await findBackedUpSession(db, id, roomId, sessionId)) === undefined
      ? { steps: [], addedKeys: 0 }
      : { steps: [deleteSession(id, roomId, sessionId)], addedKeys: -1 }
  const { etag, count } = await changeKeys(db, id, plan, () => readBackup(db, id))
  return { etag, count }
}

/** A stored key as clients get it. */
export function toKeyData(session: BackedUpSession): JsonObject {
  return {
    first_message_index: session.first_message_index,
    forwarded_count: session.forwarded_count,
    is_verified: session.is_verified === 1,
    session_data: parseJson(session.session_data),
  }
}
