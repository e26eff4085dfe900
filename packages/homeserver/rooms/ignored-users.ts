import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { createSingleFlight } from '@causeway/store/cache/single-flight.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Database } from '@causeway/store/db/database.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import { findAccountData, GLOBAL } from '@causeway/store/tables/account-data.ts'

/** Whom each user does not want to hear. https://spec.matrix.org/v1.19/client-server-api/#ignoring-users */
export interface IgnoredUsers {
  of(userId: UserId): Promise<readonly string[]>
  /** Takes in an entry of the log. */
  apply(entry: LogEntry): void
  /** Forgets everything: entries may have been missed. */
  clear(): void
}

const TYPE = 'm.ignored_user_list'
/** More than anybody ignores by hand; what is beyond it is not looked at. */
const MAX_IGNORED = 2_000

function namesIn(content: unknown): readonly string[] {
  const users = isJsonObject(content) ? content['ignored_users'] : undefined
  return isJsonObject(users) ? Object.keys(users).slice(0, MAX_IGNORED) : []
}

async function readNames(db: Database, userId: UserId): Promise<readonly string[]> {
  const row = await findAccountData(db, userId, GLOBAL, TYPE)
  return row === undefined ? [] : namesIn(JSON.parse(row.content))
}

/** Keeps the lists of the active users. */
export function createIgnoredUsers(db: Database, budget: MemoryBudget): IgnoredUsers {
  const lists = budget.cache({
    name: 'ignored_users',
    share: 0.01,
    weigh: (names: readonly string[]) => 100 + names.length * 100,
  })
  const loads = createSingleFlight<UserId, readonly string[]>()
  return {
    async of(userId) {
      const held = lists.get(userId)
      if (held !== undefined) return held
      return loads.run(userId, async (isCurrent) => {
        const names = await readNames(db, userId)
        if (isCurrent()) lists.set(userId, names)
        return names
      })
    },
    apply(entry) {
      if (entry.kind !== 'account_data' || entry.type !== TYPE) return
      loads.forget(entry.userId)
      lists.delete(entry.userId)
    },
    clear() {
      loads.forgetAll()
      lists.clear()
    },
  }
}
