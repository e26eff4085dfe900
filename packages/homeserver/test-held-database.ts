import type { Database } from '@causeway/store/db/database.ts'

// Test support: a database as a slow machine has it. What it answers is as of when it was asked, and comes late.

/** What comes between while something is read: before or after the next query whose text has `at` in it. */
export interface Interruption {
  readonly at: string
  readonly when: 'before' | 'after'
  readonly run: () => Promise<void>
}

/** From now on, each happens once, and leaves the list. What it reads itself should go by a query of before. */
export function interruptReads(db: Database, interruptions: Interruption[]): void {
  const query = db.query.bind(db)
  const interrupted: typeof query = async (sql, params) => {
    const index = interruptions.findIndex(({ at }) => sql.includes(at))
    const [found] = index === -1 ? [] : interruptions.splice(index, 1)
    if (found?.when === 'before') await found.run()
    const rows = await query(sql, params)
    if (found?.when === 'after') await found.run()
    return rows as never
  }
  Object.assign(db, { query: interrupted })
}

/** An answer that is held back. */
export interface HeldAnswer {
  /** Resolves when the database has answered. */
  readonly read: Promise<void>
  /** Lets whoever asked have it. */
  release(): void
}

export interface HeldDatabase {
  readonly db: Database
  /** Holds back the answer of the next query whose text matches. */
  readonly hold: (sql: RegExp) => HeldAnswer
}

/** The same database; nothing is held back yet. */
export function holdAnswers(real: Database): HeldDatabase {
  const waiting: { readonly sql: RegExp; readonly read: () => void; readonly released: Promise<void> }[] = []
  const slow =
    (name: 'query' | 'queryLarge') =>
    async (...of: Parameters<Database['query']>): Promise<unknown> => {
      const at = waiting.findIndex(({ sql }) => sql.test(of[0]))
      const [held] = at === -1 ? [] : waiting.splice(at, 1)
      const rows = await real[name](...of)
      held?.read()
      await held?.released
      return rows
    }
  const slowly: Partial<Record<string | symbol, unknown>> = {
    query: slow('query'),
    queryLarge: slow('queryLarge'),
  }
  const db = new Proxy(real, {
    get(target, name) {
      const value: unknown = slowly[name] ?? Reflect.get(target, name)
      return typeof value === 'function' && slowly[name] === undefined
        ? (value.bind(target) as unknown)
        : value
    },
  })
  return {
    db,
    hold(sql) {
      const read = Promise.withResolvers<void>()
      const released = Promise.withResolvers<void>()
      waiting.push({ sql, read: read.resolve, released: released.promise })
      return { read: read.promise, release: released.resolve }
    },
  }
}
