import type { KeyId, ServerName } from '@causeway/matrix/ids/ids.ts'
import type { FindVerifyKey } from '@causeway/matrix/signing/keys.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import { createSingleFlight } from '@causeway/store/cache/single-flight.ts'
import type { Random } from '@causeway/store/clock/clock.ts'
import type { Keyring, WantedKeys } from '../keyring.ts'
import { isLacking, toVerifyKey, type HeldKeys, type Want } from './held-keys.ts'
import { createKeyAttempts } from './key-attempts.ts'
import { createKeySources, NO_KEYS, type KeySourceDeps } from './key-sources.ts'
import { createNotaryBatch } from './notary-batch.ts'
import type { OwnKeys } from './own-keys.ts'

export interface KeyringDeps extends KeySourceDeps {
  readonly serverName: ServerName
  readonly own: OwnKeys
  readonly random: Random
  readonly budget: MemoryBudget
}

/** The keyring as this package's own parts know it. */
export interface ServerKeyring extends Keyring {
  /** As `load`; the owner is asked even where we are backing off from it, since it seems to be there. */
  loadPresent(wanted: readonly WantedKeys[], signal?: AbortSignal): Promise<FindVerifyKey>
  /** Whether all of this is at hand, without asking anybody. */
  holds(wanted: readonly WantedKeys[]): Promise<boolean>
  /** Asks the owner for its keys, whatever is known, unless that was just done. */
  refresh(serverName: ServerName): Promise<void>
}

/** Events are dated by strangers; a date in the far future is no reason to fetch keys over and over. */
const MAX_AHEAD_MS = 10 * 60_000

function mergeWanted(wanted: readonly WantedKeys[], own: ServerName, now: number): Map<ServerName, Want> {
  const merged = new Map<ServerName, { keyIds: Set<KeyId>; validAt: number }>()
  for (const { serverName, keyIds, validAt } of wanted) {
    if (serverName === own || keyIds.length === 0) continue
    const want = merged.get(serverName) ?? { keyIds: new Set<KeyId>(), validAt: 0 }
    for (const keyId of keyIds) want.keyIds.add(keyId)
    want.validAt = Math.max(want.validAt, Math.min(validAt, now + MAX_AHEAD_MS))
    merged.set(serverName, want)
  }
  return merged
}

function toFind(own: ServerName, ownKeys: OwnKeys, held: ReadonlyMap<ServerName, HeldKeys>): FindVerifyKey {
  return (serverName, keyId) => {
    if (serverName === own) return ownKeys.find(keyId)
    const key = held.get(serverName)?.get(keyId)
    return key === undefined ? undefined : toVerifyKey(key)
  }
}

/** Rejects when the signal is aborted; the work goes on for others. */
function untilAborted<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work()
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const abort = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
    void work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort))
  })
}

/** The keyring over federation; what it fetches is kept. */
export function createKeyring(deps: KeyringDeps): ServerKeyring {
  const { serverName: own, store, own: ownKeys, notaries, clock, logger } = deps
  const attempts = createKeyAttempts(deps)
  const sources = createKeySources(deps)
  const flights = createSingleFlight<ServerName, void>()
  const batch = createNotaryBatch(clock, (wants) =>
    sources
      .askNotaries(wants)
      .catch((error: unknown) => logger.warn('the notaries were not asked', { error })),
  )
  const fetch = (name: ServerName, want: Want, evenIfBackingOff: boolean): Promise<void> =>
    flights.run(name, async () => {
      const answered = await sources.askOwner(name, evenIfBackingOff)
      if (notaries.length > 0 && isLacking(await sources.held(name), want)) await batch.ask(name, want)
      const satisfied = !isLacking(await sources.held(name), want)
      attempts.ended(name, satisfied ? 'satisfied' : answered ? 'answered' : 'silent')
    })
  const findLacking = async (wants: ReadonlyMap<ServerName, Want>): Promise<[ServerName, Want][]> => {
    const held = await store.read([...wants.keys()])
    return [...wants].filter(([name, want]) => isLacking(held.get(name) ?? NO_KEYS, want))
  }
  const load = async (
    wanted: readonly WantedKeys[],
    signal: AbortSignal | undefined,
    evenIfBackingOff: boolean,
  ): Promise<FindVerifyKey> => {
    const wants = mergeWanted(wanted, own, clock.now())
    const lacking = (await findLacking(wants)).filter(([name]) => attempts.mayAsk(name))
    const fetchAll = (): Promise<unknown> =>
      Promise.all(lacking.map(([name, want]) => fetch(name, want, evenIfBackingOff)))
    if (lacking.length > 0) await untilAborted(fetchAll, signal)
    return toFind(own, ownKeys, await store.read([...wants.keys()]))
  }
  return {
    load: (wanted, signal) => load(wanted, signal, false),
    loadPresent: (wanted, signal) => load(wanted, signal, true),
    isAwaited: (name) => attempts.isAwaited(name),
    holds: async (wanted) => (await findLacking(mergeWanted(wanted, own, clock.now()))).length === 0,
    async refresh(name) {
      if (name === own || !attempts.mayAsk(name)) return
      const answered = await sources.askOwner(name, false)
      attempts.ended(name, answered ? 'satisfied' : 'silent')
    },
  }
}
