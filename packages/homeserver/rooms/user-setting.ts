import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { createSingleFlight } from '@causeway/store/cache/single-flight.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Database } from '@causeway/store/db/database.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import { findAccountData, GLOBAL } from '@causeway/store/tables/account-data.ts'

/** What users have set for themselves in their account data, as far as the rooms go by it. */
export interface UserSetting<Value extends object> {
  /** The same object until it is set anew. */
  of(userId: UserId): Promise<Value>
  /** Takes in an entry of the log. */
  apply(entry: LogEntry): void
  /** Forgets everything: entries may have been missed. */
  clear(): void
}

export interface UserSettingKind<Value extends object> {
  /** Of the cache, in the figures of memory. */
  readonly name: string
  /** Types of account data that it is read from. */
  readonly types: readonly string[]
  /** From the contents in the order of `types`; undefined where there is none. Says something for any content. */
  readonly read: (contents: readonly unknown[]) => Value
  /** In bytes. */
  readonly weigh: (value: Value) => number
}

/** Keeps the settings of the active users. */
export function createUserSetting<Value extends object>(
  db: Database,
  budget: MemoryBudget,
  { name, types, read, weigh }: UserSettingKind<Value>,
): UserSetting<Value> {
  const values = budget.cache({ name, share: 0.01, weigh })
  const loads = createSingleFlight<UserId, Value>()
  const load = async (userId: UserId): Promise<Value> => {
    const rows = await Promise.all(types.map((type) => findAccountData(db, userId, GLOBAL, type)))
    return read(rows.map((row) => (row === undefined ? undefined : (JSON.parse(row.content) as unknown))))
  }
  return {
    async of(userId) {
      const held = values.get(userId)
      if (held !== undefined) return held
      return loads.run(userId, async (isCurrent) => {
        const value = await load(userId)
        if (isCurrent()) values.set(userId, value)
        return value
      })
    },
    apply(entry) {
      if (entry.kind !== 'account_data' || !types.includes(entry.type)) return
      loads.forget(entry.userId)
      values.delete(entry.userId)
    },
    clear() {
      loads.forgetAll()
      values.clear()
    },
  }
}
