import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { KeyId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { signJson } from '@causeway/matrix/signing/sign-json.ts'
import { createMemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { countingRandom } from '@causeway/testkit/irc/manual-clock.ts'
import { makeSigner } from '@causeway/testkit/matrix/ed25519.ts'
import { verifySignature } from '../../crypto/verify.ts'
import { silentLogger } from '../../ops/log.ts'
import { FederationError, type FederationClient, type FederationRequest } from '../federation-client.ts'
import { createKeyring, type ServerKeyring } from './create-keyring.ts'
import { createKeyStore } from './key-store.ts'
import { createOwnKeys } from './own-keys.ts'

// Test support: servers with keys, as a keyring sees them through its client.

export const OWN = 'own.test' as ServerName

/** A clock that can be put forward; its timers are the system's. */
export interface ShiftedClock extends Clock {
  shift(ms: number): void
}

export function shiftedClock(): ShiftedClock {
  let shiftMs = 0
  return {
    ...systemClock,
    now: () => systemClock.now() + shiftMs,
    monotonic: () => systemClock.monotonic() + shiftMs,
    shift: (ms) => void (shiftMs += ms),
  }
}

/** A server somewhere, and what it answers. */
export interface KeyServer {
  readonly name: ServerName
  readonly signer: ReturnType<typeof makeSigner>
  /** Its key document with these changes, signed by its key. */
  document(more?: JsonObject): JsonObject
  /** Answers to `GET /_matrix/key/v2/server`; undefined: it is down. */
  own: (() => JsonObject) | undefined
  /** Answers to `POST /_matrix/key/v2/query`; undefined: it is no notary. */
  query?: (body: JsonObject) => JsonObject
}

export interface KeyWorld {
  readonly clock: ShiftedClock
  readonly servers: Map<string, KeyServer>
  /** `destination path` of every request. */
  readonly asked: string[]
  readonly client: FederationClient
  add(name: string): KeyServer
  /** A notary that vouches for what its function answers. */
  addNotary(name: string, answer: (wanted: readonly string[]) => readonly JsonObject[]): KeyServer
  keyring(db: Database, notaries?: readonly KeyServer[]): ServerKeyring
}

const seedOf = (name: string): string => Buffer.from(name.padEnd(32, '.').slice(0, 32)).toString('base64')
export const keyId = 'ed25519:k1' as KeyId

export function createKeyWorld(): KeyWorld {
  const clock = shiftedClock()
  const servers = new Map<string, KeyServer>()
  const asked: string[] = []
  const client: FederationClient = {
    request: async (destination, { path, body }: FederationRequest) => {
      asked.push(`${destination} ${path}`)
      const server = servers.get(destination)
      const answer = path === '/_matrix/key/v2/server' ? server?.own?.() : server?.query?.(body as JsonObject)
      // As long as a network would at least take: until another turn of the event loop.
      await new Promise((resolve) => void clock.setTimeout(() => resolve(undefined), 1))
      if (answer !== undefined) return answer
      throw new FederationError(destination, { kind: 'unreachable' }, 'it is down')
    },
    stream: async (destination) => {
      throw new FederationError(destination, { kind: 'unreachable' }, 'no streams here')
    },
    heardFrom: () => undefined,
  }
  const add = (name: string): KeyServer => {
    const signer = makeSigner(name, keyId, seedOf(name))
    const server: KeyServer = {
      name: name as ServerName,
      signer,
      document: (more = {}) =>
        signJson(
          {
            server_name: name,
            valid_until_ts: clock.now() + 86_400_000,
            verify_keys: { [keyId]: { key: signer.publicKey } },
            old_verify_keys: {},
            ...more,
          },
          signer,
        ),
      own: () => server.document(),
    }
    servers.set(name, server)
    return server
  }
  return {
    clock,
    servers,
    asked,
    client,
    add,
    addNotary: (name, answer) => {
      const notary = add(name)
      notary.query = (body) => ({
        server_keys: answer(Object.keys(body['server_keys'] as JsonObject)).map((one) =>
          signJson(one, notary.signer),
        ),
      })
      return notary
    },
    keyring: (db, notaries = []) => {
      const budget = createMemoryBudget(10_000_000)
      const file = { keys: [{ keyId, seed: new Uint8Array(32) }] as const, old: [] }
      return createKeyring({
        serverName: OWN,
        client,
        store: createKeyStore({ db, clock, budget, logger: silentLogger }),
        own: createOwnKeys(OWN, file, {}, clock),
        notaries: notaries.map(({ name }) => name),
        verify: verifySignature,
        clock,
        random: countingRandom(),
        budget,
        logger: silentLogger,
      })
    },
  }
}
