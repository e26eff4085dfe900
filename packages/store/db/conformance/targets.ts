import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock, systemRandom } from '../../clock/system.ts'
import { openDatabase } from '../open.ts'
import type { DatabaseConfig, DatabaseDeps } from '../open.ts'
import { suiteMigrations, suiteSigner } from './fixture.ts'
import type { SuiteTarget } from './fixture.ts'

const defaults: DatabaseDeps = {
  clock: systemClock,
  random: systemRandom,
  signer: suiteSigner,
  migrations: suiteMigrations,
}

function target(
  name: string,
  durable: boolean,
  place: () => Promise<{ config: DatabaseConfig; cleanUp: () => Promise<void> }>,
): SuiteTarget {
  return {
    name,
    durable,
    create: async (deps) => {
      const { config, cleanUp } = await place()
      const open = (more?: Partial<DatabaseDeps>) => openDatabase(config, { ...defaults, ...more })
      return { db: await open(deps), again: open, cleanUp }
    },
  }
}

/** A SQLite file in a folder of its own. */
export function sqliteTarget(inThread: boolean): SuiteTarget {
  return target(`SQLite${inThread ? ' in-thread' : ''}`, true, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'causeway-store-'))
    const cleanUp = async (): Promise<void> => rmSync(folder, { recursive: true })
    return { config: { kind: 'sqlite', path: join(folder, 'store.db'), inThread }, cleanUp }
  })
}

export const memoryTarget: SuiteTarget = target('SQLite in memory', false, async () => ({
  config: { kind: 'sqlite', path: ':memory:' },
  cleanUp: async () => undefined,
}))

export function postgresTarget(createDatabase: () => Promise<string>): SuiteTarget {
  return target('PostgreSQL', true, async () => ({
    config: { kind: 'postgres', url: await createDatabase() },
    cleanUp: async () => undefined,
  }))
}
