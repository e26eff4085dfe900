import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { eraseDirectoryWords } from '@causeway/store/tables/user-directory.ts'
import { blankUser, ERASE_STAGES, erasePortion } from '@causeway/store/erasure/statements.ts'

/** Rows that go in one write: others wait no longer than for that. */
const PORTION = 500

/**
 * Removes what is kept of a user beside events and media, in portions. Once more from the beginning after an
 * interruption: what is gone costs nothing.
 */
export async function eraseUserRows(db: Database, userId: UserId, signal: AbortSignal): Promise<void> {
  // Before the names that they hang on.
  await db.commit({ entries: [], steps: eraseDirectoryWords(userId) })
  for (const stage of ERASE_STAGES) {
    let removed = PORTION
    while (removed === PORTION) {
      if (signal.aborted) return
      const result = await db.commit({ entries: [], steps: [erasePortion(stage, userId, PORTION)] })
      if (!result.ok) throw new Error(`erasing rows of ${stage.table} was refused`)
      removed = result.rows.get(0)?.length ?? 0
    }
  }
  await db.commit({ entries: [], steps: blankUser(userId) })
}
