import type { KeyId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { createLocalBus, type Bus } from '@causeway/store/bus/local.ts'
import { createMemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import { openDatabase, type DatabaseConfig, type OpenDatabase } from '@causeway/store/db/open.ts'
import { openLog } from '@causeway/store/log/log.ts'
import { createRoomEngine, type RoomEngine } from './engine.ts'
import { followLog } from './follow-log.ts'

export interface TestEngine extends AsyncDisposable {
  readonly engine: RoomEngine
  readonly db: OpenDatabase
  readonly bus: Bus
}

/** Test support: rooms over a real database, without a server around them. */
export async function openTestEngine(
  config: DatabaseConfig,
  budget = 64 * 1024 * 1024,
  serverName = 'test' as ServerName,
): Promise<TestEngine> {
  const bus = createLocalBus((error) => {
    throw error
  })
  const seed = new Uint8Array(32).fill(7)
  const { db, log } = await openLog(
    (onCommit) =>
      openDatabase(config, {
        clock: systemClock,
        random: systemRandom,
        signer: { serverName, keyId: 'ed25519:t' as KeyId, privateKey: seed },
        onCommit,
      }),
    { bus, ring: { maxEntries: 5_000, maxBytes: 4 * 1024 * 1024 }, maxChangedKeys: 1_000 },
  )
  const engine = await createRoomEngine({
    serverName,
    db,
    log,
    clock: systemClock,
    random: systemRandom,
    budget: createMemoryBudget(budget),
  })
  followLog(engine, bus)
  return { engine, db, bus, [Symbol.asyncDispose]: () => db[Symbol.asyncDispose]() }
}
