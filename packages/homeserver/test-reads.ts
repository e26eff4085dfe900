import { AsyncLocalStorage } from 'node:async_hooks'
import type { Database } from '@causeway/store/db/database.ts'

/** What else the server does reads as well. */
const watched = new AsyncLocalStorage<string[]>()
const watching = new WeakSet<Database>()

function watch(db: Database): void {
  if (watching.has(db)) return
  watching.add(db)
  for (const name of ['query', 'queryLarge'] as const) {
    const read = db[name].bind(db)
    const seen: typeof read = (sql, params) => {
      watched.getStore()?.push(sql)
      return read(sql, params)
    }
    Object.defineProperty(db, name, { value: seen })
  }
}

/** What some work asks the database, by its SQL: nothing that the server does beside it. */
export async function readsOf(
  { hs: { db } }: { readonly hs: { readonly db: Database } },
  work: () => Promise<unknown>,
): Promise<string[]> {
  watch(db)
  const reads: string[] = []
  await watched.run(reads, work)
  return reads
}

/** What is done meanwhile, and is no part of the work. */
export function beside<T>(work: () => Promise<T>): Promise<T> {
  return watched.exit(work)
}
