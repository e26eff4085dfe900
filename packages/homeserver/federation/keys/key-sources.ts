import type { VerifySignature } from '@causeway/matrix/events/pdu.ts'
import type { KeyId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { createSingleFlight } from '@causeway/store/cache/single-flight.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { createSlots } from '@causeway/store/cache/slots.ts'
import type { Logger } from '../../ops/log.ts'
import type { FederationClient } from '../federation-client.ts'
import { fetchFromNotary, fetchOwnersKeys } from './fetch-keys.ts'
import { isLacking, type HeldKeys, type Want } from './held-keys.ts'
import type { KeyStore } from './key-store.ts'

/** Where keys come from; what is learnt goes into the store. Nothing here rejects because of another server. */
export interface KeySources {
  /** Whether the server itself told its keys. */
  askOwner(name: ServerName, evenIfBackingOff: boolean): Promise<boolean>
  /** Asks one notary after the other, until there is nothing left to ask for. */
  askNotaries(wants: ReadonlyMap<ServerName, Want>): Promise<void>
  held(name: ServerName): Promise<HeldKeys>
}

export interface KeySourceDeps {
  readonly client: FederationClient
  readonly store: KeyStore
  /** Asked in this order for what owners do not answer. */
  readonly notaries: readonly ServerName[]
  readonly verify: VerifySignature
  readonly clock: Clock
  readonly logger: Logger
}

/** Fetches under way, and those that wait for one. */
const MAX_FETCHES = 64
const MAX_WAITING = 20_000

export const NO_KEYS: HeldKeys = new Map()

export function createKeySources({
  client,
  store,
  notaries,
  verify,
  clock,
  logger,
}: KeySourceDeps): KeySources {
  const slots = createSlots(MAX_FETCHES, MAX_WAITING)
  const flights = createSingleFlight<ServerName, boolean>()

  const held = async (name: ServerName): Promise<HeldKeys> => (await store.read([name])).get(name) ?? NO_KEYS
  const askOwner: KeySources['askOwner'] = (name, evenIfBackingOff) =>
    flights.run(name, async () => {
      try {
        const document = await slots.run(() => fetchOwnersKeys(client, name, verify, evenIfBackingOff))
        await store.keep(document, undefined)
        return true
      } catch (error) {
        logger.debug('keys of a server could not be fetched', { server: name, error })
        return false
      }
    })
  /** Nobody vouches for a notary but itself. */
  const findNotaryKey = async (
    notary: ServerName,
    keyIds: readonly KeyId[],
  ): Promise<(keyId: KeyId) => string | undefined> => {
    const now = clock.now()
    const want = { keyIds: new Set(keyIds), validAt: now }
    if (isLacking(await held(notary), want)) await askOwner(notary, false)
    const keys = await held(notary)
    return (keyId) => {
      const key = keys.get(keyId)
      const isGood = key !== undefined && key.notary === '' && key.expiredTs === 0 && key.validUntilTs >= now
      return isGood ? key.publicKey : undefined
    }
  }
  const askNotary = async (notary: ServerName, wants: ReadonlyMap<ServerName, Want>): Promise<void> => {
    const others = new Map([...wants].filter(([name]) => name !== notary))
    if (others.size === 0) return
    try {
      const find = (keyIds: readonly KeyId[]): ReturnType<typeof findNotaryKey> =>
        findNotaryKey(notary, keyIds)
      const documents = await fetchFromNotary(client, notary, others, verify, find)
      await Promise.all(documents.map((document) => store.keep(document, notary)))
    } catch (error) {
      logger.debug('a notary could not be asked', { server: notary, error })
    }
  }
  return {
    askOwner,
    held,
    async askNotaries(wants) {
      let open = wants
      for (const notary of notaries) {
        await askNotary(notary, open)
        const known = await store.read([...open.keys()])
        open = new Map([...open].filter(([name, want]) => isLacking(known.get(name) ?? NO_KEYS, want)))
        if (open.size === 0) return
      }
    },
  }
}
