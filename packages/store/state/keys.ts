import type { Cache } from '../cache/lru.ts'
import type { Database, Insert, TableShape } from '../db/database.ts'

/** What names a piece of state. */
export interface StateKeyName {
  readonly type: string
  readonly stateKey: string
}

/** A name that its room has no number for in the database yet. */
export interface NewKey extends StateKeyName {
  readonly keyNid: number
}

/** The numbers that names of state have within their room. */
export interface KeySource {
  /** In the order of `names`; undefined for a name that the room has never seen. */
  find(roomNid: number, names: readonly StateKeyName[]): Promise<(number | undefined)[]>
}

export interface KeyStore extends KeySource {
  /** Keeps numbers that a write has just committed. */
  remember(roomNid: number, keys: readonly NewKey[]): void
  /** The names of numbers, for what has no event at hand; left out where there is none. */
  names(roomNid: number, keyNids: readonly number[]): Promise<Map<number, StateKeyName>>
  /** Lets go of a purged room's names: walks the cache. */
  forgetRoom(roomNid: number): void
}

export const STATE_KEYS: TableShape = {
  name: 'state_keys',
  columns: [
    { name: 'room_nid', type: 'int' },
    { name: 'key_nid', type: 'int' },
    { name: 'type', type: 'text' },
    { name: 'state_key', type: 'text' },
  ],
}

/** From this many rows on, reads are off the calling thread. */
const LARGE_READ = 500

const readerFor = (rows: number): 'query' | 'queryLarge' => (rows < LARGE_READ ? 'query' : 'queryLarge')

/** The length of the type keeps `('a', 'b|c')` and `('a|b', 'c')` apart. */
function cacheKey(roomNid: number, name: StateKeyName): string {
  return `${roomNid}|${name.type.length}|${name.type}|${name.stateKey}`
}

/** Estimated bytes of an entry of the cache of names. */
export function weighKey(_keyNid: number, key: string): number {
  return 24 + 2 * key.length
}

/** The row of a new key, for the write that first uses it. A name or number already taken refuses the write. */
export function keyInsert(roomNid: number, { keyNid, type, stateKey }: NewKey): Insert {
  return { into: STATE_KEYS, values: [roomNid, keyNid, type, stateKey] }
}

interface KeyRow extends Record<string, string | number> {
  key_nid: number
  type: string
  state_key: string
}

/** One query a type: each is a walk over the index by name. */
async function readKeys(db: Database, roomNid: number, names: readonly StateKeyName[]): Promise<KeyRow[]> {
  const byType = Map.groupBy(names, (name) => name.type)
  const sql =
    'SELECT key_nid, type, state_key FROM state_keys WHERE room_nid = ? AND type = ? AND state_key IN (?text[])'
  const reads = [...byType].map(([type, ofType]) => {
    const stateKeys = [...new Set(ofType.map((name) => name.stateKey))]
    return db[readerFor(stateKeys.length)]<KeyRow>(sql, [roomNid, type, stateKeys])
  })
  return (await Promise.all(reads)).flat()
}

/** @param cache `weighKey` weighs its entries. */
export function createKeyStore(db: Database, cache: Cache<string, number>): KeyStore {
  return {
    async find(roomNid, names) {
      const found = new Map<string, number>()
      const missing: StateKeyName[] = []
      for (const name of names) {
        const key = cacheKey(roomNid, name)
        const keyNid = cache.get(key)
        if (keyNid === undefined) missing.push(name)
        else found.set(key, keyNid)
      }
      const rows = missing.length === 0 ? [] : await readKeys(db, roomNid, missing)
      for (const row of rows) {
        const key = cacheKey(roomNid, { type: row.type, stateKey: row.state_key })
        cache.set(key, row.key_nid)
        found.set(key, row.key_nid)
      }
      return names.map((name) => found.get(cacheKey(roomNid, name)))
    },
    remember(roomNid, keys) {
      for (const key of keys) cache.set(cacheKey(roomNid, key), key.keyNid)
    },
    async names(roomNid, keyNids) {
      const sql = 'SELECT key_nid, type, state_key FROM state_keys WHERE room_nid = ? AND key_nid IN (?int[])'
      const rows = await db[readerFor(keyNids.length)]<KeyRow>(sql, [roomNid, keyNids])
      return new Map(rows.map((row) => [row.key_nid, { type: row.type, stateKey: row.state_key }]))
    },
    forgetRoom: (roomNid) => cache.deleteWhere((key) => key.startsWith(`${roomNid}|`)),
  }
}

/** Names of one room that no commit has answered for yet, in front of those that are stored (see `NodeOverlay`). */
export interface KeyOverlay extends KeySource {
  add(keys: readonly NewKey[]): void
  /** These are committed: from now on they are the store's. */
  settle(keys: readonly NewKey[]): void
  /** The write that made these is given up: their numbers are handed out again. */
  retract(keys: readonly NewKey[]): void
  size(): number
}

/** Names that an overlay knows to be new: who asks for one mostly asks again, to make it. */
const MAX_ABSENT = 32

function noteAbsent(absent: Set<string>, key: string): void {
  if (absent.size === MAX_ABSENT) absent.clear()
  absent.add(key)
}

export function createKeyOverlay(store: KeyStore, roomNid: number): KeyOverlay {
  const pending = new Map<string, number>()
  // Nobody but the owner of the overlay makes names, so what the store has not got comes by `add`.
  const absent = new Set<string>()
  return {
    async find(room, names) {
      if (room !== roomNid) return store.find(room, names)
      const keys = names.map((name) => cacheKey(roomNid, name))
      const asked = names.filter((_, i) => !pending.has(keys[i]!) && !absent.has(keys[i]!))
      if (asked.length === 0) return keys.map((key) => pending.get(key))
      const stored = await store.find(room, asked)
      const found = new Map(asked.map((name, i) => [cacheKey(roomNid, name), stored[i]]))
      for (const [key, keyNid] of found) if (keyNid === undefined) noteAbsent(absent, key)
      return keys.map((key) => pending.get(key) ?? found.get(key))
    },
    add(keys) {
      for (const key of keys) {
        absent.delete(cacheKey(roomNid, key))
        pending.set(cacheKey(roomNid, key), key.keyNid)
      }
    },
    settle(keys) {
      store.remember(roomNid, keys)
      for (const key of keys) pending.delete(cacheKey(roomNid, key))
    },
    retract(keys) {
      for (const key of keys) pending.delete(cacheKey(roomNid, key))
    },
    size: () => pending.size,
  }
}

/**
 * The numbers of `names` in their order, and those that had to be made: the caller puts them into the overlay
 * and, by `keyInsert`, into its write. Inside the room's queue only, or two callers number one name twice.
 * @param allocKey hands out the room's next key number, from 0.
 */
export async function internKeys(
  source: KeySource,
  roomNid: number,
  names: readonly StateKeyName[],
  allocKey: () => number,
): Promise<{ keyNids: number[]; newKeys: NewKey[] }> {
  const found = await source.find(roomNid, names)
  const made = new Map<string, NewKey>()
  const keyNids = names.map((name, i) => {
    if (found[i] !== undefined) return found[i]
    const key = cacheKey(roomNid, name)
    const newKey = made.get(key) ?? { type: name.type, stateKey: name.stateKey, keyNid: allocKey() }
    made.set(key, newKey)
    return newKey.keyNid
  })
  return { keyNids, newKeys: [...made.values()] }
}
