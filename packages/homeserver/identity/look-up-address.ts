import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { parseUserId } from '@causeway/matrix/ids/user-id.ts'
import { sha256 } from '../crypto/sha256.ts'
import type { ThirdPartyAddress } from '../addresses/third-party-address.ts'
import { IdentityFailed, IdentityRefused, type IdentityServers } from './identity-servers.ts'

/** Who asks, and whom. */
export interface IdentityLogin {
  /** As `requireAllowed` gave it. */
  readonly server: string
  /** The user's access token there. */
  readonly token: string
}

/** How an address is put into the question. */
interface Hashing {
  readonly algorithm: 'sha256' | 'none'
  readonly pepper: string
}

async function findHashing(
  identity: IdentityServers,
  { server, token }: IdentityLogin,
  signal: AbortSignal | undefined,
): Promise<Hashing> {
  const answer = await identity.request(server, { method: 'GET', path: '/hash_details', token, signal })
  const { lookup_pepper: pepper, algorithms } = answer
  if (typeof pepper !== 'string' || !Array.isArray(algorithms))
    throw new IdentityFailed(`${server} does not say how addresses are hashed`)
  // The address itself is told only to a server that takes nothing else.
  for (const algorithm of ['sha256', 'none'] as const)
    if (algorithms.includes(algorithm)) return { algorithm, pepper }
  throw new IdentityFailed(`${server} hashes addresses in no way that is known here`)
}

function questionOf({ medium, address }: ThirdPartyAddress, { algorithm, pepper }: Hashing): string {
  return algorithm === 'none' ? `${address} ${medium}` : sha256(`${address} ${medium} ${pepper}`)
}

function readMapping(server: string, { mappings }: JsonObject, question: string): UserId | undefined {
  if (!isJsonObject(mappings)) throw new IdentityFailed(`${server} answers without mappings`)
  if (!Object.hasOwn(mappings, question)) return undefined
  const found = mappings[question]
  const userId = typeof found === 'string' ? parseUserId(found) : undefined
  if (userId === undefined) throw new IdentityFailed(`${server} answers with what is no user id`)
  return userId
}

/**
 * The Matrix user whose address it is, by what an identity server publishes; undefined where it knows none.
 * https://spec.matrix.org/v1.19/identity-service-api/#association-lookup
 * @throws as `IdentityServers.request`
 */
export async function lookUpAddress(
  identity: IdentityServers,
  login: IdentityLogin,
  address: ThirdPartyAddress,
  signal?: AbortSignal,
): Promise<UserId | undefined> {
  const { server, token } = login
  const ask = async (): Promise<UserId | undefined> => {
    const hashing = await findHashing(identity, login, signal)
    const question = questionOf(address, hashing)
    const body: JsonObject = { ...hashing, addresses: [question] }
    const answer = await identity.request(server, { method: 'POST', path: '/lookup', token, body, signal })
    return readMapping(server, answer, question)
  }
  try {
    return await ask()
  } catch (error) {
    // The pepper changed between the two requests: once more, and no loop.
    if (error instanceof IdentityRefused && error.errcode === 'M_INVALID_PEPPER') return await ask()
    throw error
  }
}
