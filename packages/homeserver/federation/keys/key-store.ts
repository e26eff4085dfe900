import type { KeyId, ServerName } from '@causeway/matrix/ids/ids.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { listServerKeys, storeServerKey } from '@causeway/store/tables/server-keys.ts'
import type { Logger } from '../../ops/log.ts'
import type { KeyDocument } from './key-document.ts'
import { supersedes, toHeldKey, weighKeys, type HeldKey, type HeldKeys } from './held-keys.ts'

/** The keys of other servers, in memory and in their table. */
export interface KeyStore {
  /** What is known of each of these servers; nothing known is an empty map. */
  read(serverNames: readonly ServerName[]): Promise<ReadonlyMap<ServerName, HeldKeys>>
  /** Keeps what a document says. `notary`: who told us, if not the owner. */
  keep(document: KeyDocument, notary: ServerName | undefined): Promise<HeldKeys>
}

interface Deps {
  readonly db: Database
  readonly clock: Clock
  readonly budget: MemoryBudget
  readonly logger: Logger
}

const NONE: HeldKeys = new Map()

export function createKeyStore({ db, clock, budget, logger }: Deps): KeyStore {
  const cache = budget.cache<ServerName, HeldKeys>({ name: 'server_keys', share: 0.015, weigh: weighKeys })

  const readRows = async (names: readonly ServerName[]): Promise<Map<ServerName, HeldKeys>> => {
    const found = new Map<ServerName, Map<KeyId, HeldKey>>()
    for (const key of await listServerKeys(db, names)) {
      const name = key.serverName as ServerName
      const keys = found.get(name) ?? new Map<KeyId, HeldKey>()
      keys.set(key.keyId as KeyId, key)
      found.set(name, keys)
    }
    return found
  }
  const read: KeyStore['read'] = async (serverNames) => {
    const known = new Map<ServerName, HeldKeys>()
    const missing: ServerName[] = []
    for (const name of serverNames) {
      const held = cache.get(name)
      if (held === undefined) missing.push(name)
      else known.set(name, held)
    }
    if (missing.length === 0) return known
    const rows = await readRows(missing)
    for (const name of missing) {
      // What was kept while the rows were read is newer than they are.
      const held = cache.peek(name) ?? rows.get(name) ?? NONE
      cache.set(name, held)
      known.set(name, held)
    }
    return known
  }
  return {
    read,
    async keep(document, notary) {
      const rows = (await read([document.serverName])).get(document.serverName)
      // From here to `cache.set` nothing is awaited: several documents may be kept at once.
      const before = cache.peek(document.serverName) ?? rows ?? NONE
      const now = clock.now()
      const learnt = document.keys
        .map((key) => toHeldKey(document, key, now, notary))
        .filter((key) => supersedes(key, before.get(key.keyId as KeyId)))
      if (learnt.length === 0) return before
      const after = new Map(before)
      for (const key of learnt) after.set(key.keyId as KeyId, key)
      cache.set(document.serverName, after)
      const text = JSON.stringify(document.json)
      const steps = learnt.map((key) => storeServerKey({ ...key, document: text }))
      await db.commit({ entries: [], steps }).catch((error: unknown) => {
        logger.warn('keys of a server were not kept', { server: document.serverName, error })
      })
      return after
    },
  }
}
