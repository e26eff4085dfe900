// https://spec.matrix.org/v1.19/client-server-api/#server-side-key-backups
import { MatrixError, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Database } from '@causeway/store/db/database.ts'
import {
  countBackups,
  deleteSessionsUpTo,
  findBackup,
  findCurrentBackup,
  insertBackup,
  listSessionNames,
  markBackupDeleted,
  type BackupId,
  type KeyBackupRow,
} from '@causeway/store/tables/key-backup.ts'

/** Backups that one user may have. */
const MAX_BACKUPS = 100
/** Rows that are removed in one write. */
const PORTION = 2_000

/** The current backup of a user. Throws `M_NOT_FOUND` when there is none. */
export async function readCurrentBackup(db: Database, userId: string): Promise<KeyBackupRow> {
  const backup = await findCurrentBackup(db, userId)
  if (backup === undefined) throw notFound('You have no key backup')
  return backup
}

/** A backup that was not deleted. Throws `M_NOT_FOUND`. */
export async function readBackup(db: Database, id: BackupId): Promise<KeyBackupRow> {
  const backup = await findBackup(db, id)
  if (backup === undefined || backup.is_deleted === 1)
    throw notFound('There is no such version of your key backup')
  return backup
}

/** Makes a backup and answers its version. Throws `M_RESOURCE_LIMIT_EXCEEDED`. */
export async function createBackup(
  db: Database,
  userId: string,
  algorithm: string,
  authData: JsonObject,
): Promise<number> {
  if ((await countBackups(db, userId)).backups >= MAX_BACKUPS) {
    throw new MatrixError(
      'M_RESOURCE_LIMIT_EXCEEDED',
      `You have ${MAX_BACKUPS} key backups; delete old ones first`,
    )
  }
  const result = await db.commit({
    entries: [],
    steps: [insertBackup(userId, algorithm, JSON.stringify(authData))],
  })
  if (!result.ok) throw new Error('a new key backup was refused')
  return Number(result.rows.get(0)?.[0]?.['version'])
}

/** Deletes a backup with all its keys; again is no mistake. Throws `M_NOT_FOUND` for one that never was. */
export async function deleteBackup(db: Database, id: BackupId): Promise<void> {
  if ((await findBackup(db, id)) === undefined) throw notFound('There is no such version of your key backup')
  await db.commit({ entries: [], steps: [markBackupDeleted(id)] })
  for (;;) {
    const names = await listSessionNames(db, id, undefined, PORTION)
    const last = names.at(-1)
    if (last === undefined) return
    await db.commit({ entries: [], steps: [deleteSessionsUpTo(id, last)] })
  }
}
