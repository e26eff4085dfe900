import type { HomeserverConfig } from '@causeway/homeserver/config.ts'
import { findSigningKeys, publicKeyOf } from '@causeway/homeserver/crypto/signing-key.ts'
import { verifySignature } from '@causeway/homeserver/crypto/verify.ts'
import { readAuthorities } from '@causeway/homeserver/federation/create-federation.ts'
import { createDiscovery } from '@causeway/homeserver/federation/discovery/create-discovery.ts'
import type { Discovery, Target } from '@causeway/homeserver/federation/discovery/discovery.ts'
import { readKeyDocument, type KeyDocument } from '@causeway/homeserver/federation/keys/key-document.ts'
import { createAddressGuard } from '@causeway/homeserver/outgoing/address-guard.ts'
import { createOutgoing, type Outgoing } from '@causeway/homeserver/outgoing/outgoing.ts'
import { readBody } from '@causeway/homeserver/outgoing/read-body.ts'
import type { Resolver } from '@causeway/homeserver/outgoing/resolver.ts'
import { createSystemResolver } from '@causeway/homeserver/outgoing/system-resolver.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { parseJsonObject } from '@causeway/matrix/json/parse.ts'
import { createMemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'

/** The network as the doctor looks at it: with the server's own discovery. */
export interface DoctorNetwork extends Disposable {
  readonly discovery: Discovery
  /** JSON at one place of a server. @throws Error with what went wrong */
  getJson(target: Target, path: string): Promise<JsonObject>
  /** The public keys that this server signs with; none before its first start. */
  readonly ownKeys: ReadonlySet<string>
}

/** What tests replace. */
export interface DoctorParts {
  readonly resolver?: Resolver
  readonly outgoing?: (real: Outgoing) => Outgoing
}

const TIMEOUT_MS = 20_000
const MAX_BYTES = 256 * 1024
const CACHE_BYTES = 1024 * 1024
/** From here, the way to ourselves may lead through private addresses. */
const ANYWHERE = ['0.0.0.0/0', '::/0']

export async function openDoctorNetwork(
  config: HomeserverConfig,
  { resolver = createSystemResolver(systemClock), outgoing: wrap }: DoctorParts = {},
): Promise<DoctorNetwork> {
  const file = await findSigningKeys(config.signing_key)
  const real = createOutgoing({
    clock: systemClock,
    resolver,
    guard: createAddressGuard(ANYWHERE),
    authorities: await readAuthorities(config.federation),
  })
  const outgoing = wrap?.(real) ?? real
  const budget = createMemoryBudget(CACHE_BYTES)
  return {
    discovery: createDiscovery({ outgoing, resolver, clock: systemClock, random: systemRandom, budget }),
    ownKeys: new Set(file?.keys.map(publicKeyOf)),
    async getJson(target, path) {
      const headers = { host: target.hostHeader, accept: 'application/json' }
      const answer = await outgoing.send({ ...target, method: 'GET', path, headers, timeoutMs: TIMEOUT_MS })
      const body = await readBody(answer.body, MAX_BYTES)
      if (answer.status !== 200) throw new Error(`it answers ${path} with status ${answer.status}`)
      return parseJsonObject(body)
    },
    [Symbol.dispose]: () => outgoing[Symbol.dispose](),
  }
}

/** Reads keys that should be ours; a sentence when they are not. */
export function readOwnDocument(
  value: unknown,
  serverName: ServerName,
  ownKeys: ReadonlySet<string>,
): KeyDocument | string {
  const document = readKeyDocument(value, serverName, verifySignature)
  if (typeof document === 'string') return `its key document is not that of ${serverName}: ${document}`
  const isOurs = document.keys.some(({ publicKey, expiredTs }) => expiredTs === 0 && ownKeys.has(publicKey))
  return isOurs ? document : `it has other keys than this server: it is another server of the same name`
}
