import type { Database } from '@causeway/store/db/database.ts'
import { findServerSets } from '@causeway/store/tables/outbound.ts'

/** The stored sets of servers, by number. They never change. */
export interface ServerSets {
  find(nids: readonly number[]): Promise<ReadonlyMap<number, ReadonlySet<string>>>
}

/** Sets held: all servers of a large room ask for the same few at about the same time. */
const MAX_HELD = 16

export function createServerSets(db: Database): ServerSets {
  const held = new Map<number, ReadonlySet<string>>()
  return {
    async find(nids) {
      const wanted = [...new Set(nids)]
      const missing = wanted.filter((nid) => !held.has(nid))
      const read = missing.length === 0 ? undefined : await findServerSets(db, missing)
      const found = new Map<number, ReadonlySet<string>>()
      for (const nid of wanted) {
        const servers = held.get(nid) ?? read?.get(nid)
        if (servers === undefined) continue
        found.set(nid, servers)
        // The last asked for are held.
        held.delete(nid)
        held.set(nid, servers)
        if (held.size > MAX_HELD) held.delete(held.keys().next().value!)
      }
      return found
    },
  }
}
