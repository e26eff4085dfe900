import type { IncomingMessage } from 'node:http'
import { forbidden, limitExceeded, MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonValue, VerifySignature } from '@causeway/matrix/events/pdu.ts'
import type { KeyId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { isServerKeyId } from '@causeway/matrix/ids/key-id.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { verifyText } from '@causeway/matrix/signing/verify-json.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { AuthenticateServer } from '../../http/router.ts'
import { requestSigningText } from '../client/sign-request.ts'
import type { FederationClient } from '../federation-client.ts'
import type { ServerKeyring } from '../keys/create-keyring.ts'
import type { ServerFilter } from '../server-filter.ts'
import { authorizationHeaders, parseXMatrix, type XMatrix } from './x-matrix.ts'

export interface AuthenticateDeps {
  readonly serverName: ServerName
  readonly keyring: ServerKeyring
  readonly client: Pick<FederationClient, 'heardFrom'>
  readonly filter: ServerFilter
  readonly verify: VerifySignature
  readonly clock: Pick<Clock, 'now'>
  /** Whether an address may cause one more request for keys. */
  readonly mayFetchKeys: (ip: string) => boolean
}

/** What somebody is told who has made us fetch too many keys. */
const KEY_FETCH_RETRY_MS = 10_000

function unauthorized(text: string): MatrixError {
  return new MatrixError('M_UNAUTHORIZED', text)
}

/** What one server claims, by one header or, with several keys, by several. */
interface Claim {
  readonly origin: ServerName
  readonly destination: ServerName | undefined
  readonly signatures: Readonly<Record<string, string>>
}

function readClaim(request: Pick<IncomingMessage, 'headers' | 'rawHeaders'>): Claim {
  const headers = authorizationHeaders(request)
  const read = headers.map(parseXMatrix)
  const [first, ...others] = read.filter((one): one is XMatrix => one !== undefined)
  if (first === undefined) {
    throw unauthorized(
      headers.length === 0
        ? 'This needs a request that is signed by a homeserver (Authorization: X-Matrix …)'
        : 'The Authorization header is not X-Matrix with origin, key and sig',
    )
  }
  const { origin, destination } = first
  if (others.some((one) => one.origin !== origin || one.destination !== destination)) {
    throw unauthorized('The Authorization headers name different servers')
  }
  const signatures = Object.fromEntries([first, ...others].map((one) => [one.keyId, one.signature]))
  return { origin, destination, signatures }
}

/** The signed text; a body without canonical form cannot have been signed. */
function signingText(request: IncomingMessage, claim: Claim, content: JsonValue | undefined): string {
  const { method = '', url: uri = '' } = request
  const text = content === undefined ? undefined : canonicalJson(content, false)
  return requestSigningText({ ...claim, method, uri, content: text })
}

/**
 * Finds out which server signed a request: by a key that it uses at present, over method, address, both names and
 * the body. https://spec.matrix.org/v1.19/server-server-api/#request-authentication
 */
export function createServerAuthentication(deps: AuthenticateDeps): AuthenticateServer {
  const { serverName, keyring, client, filter, verify, clock, mayFetchKeys } = deps

  /** A key that is not known costs us a request to the server that is named: strangers get few of those. */
  const findKeys = async (origin: ServerName, keyIds: readonly KeyId[], ip: string) => {
    const wanted = [{ serverName: origin, keyIds, validAt: clock.now() }]
    if (!(await keyring.holds(wanted)) && !mayFetchKeys(ip)) throw limitExceeded(KEY_FETCH_RETRY_MS)
    const find = await keyring.loadPresent(wanted)
    return (keyId: KeyId): string | undefined => {
      const key = find(origin, keyId)
      const isCurrent = key !== undefined && key.expiredTs === undefined && key.validUntilTs >= clock.now()
      return isCurrent ? key.publicKey : undefined
    }
  }
  return async (request, content, ip) => {
    const claim = readClaim(request)
    const { origin, destination, signatures } = claim
    if (destination !== undefined && destination !== serverName) {
      throw unauthorized(`The request is for ${destination}, and this is ${serverName}`)
    }
    if (origin === serverName) throw unauthorized('The request says that it comes from this server itself')
    if (!filter.isAllowed(origin)) throw forbidden('This server does not speak to yours')
    const keyIds = Object.keys(signatures).filter(isServerKeyId)
    if (keyIds.length === 0) throw unauthorized('The request is not signed by an ed25519 key')
    const findKey = await findKeys(origin, keyIds, ip)
    const text = signingText(request, claim, content)
    const verdict = verifyText(text, { [origin]: signatures }, origin, findKey, verify)
    if (!verdict.ok) throw unauthorized(`The request is not signed by ${origin}: ${verdict.reason}`)
    client.heardFrom(origin)
    return origin
  }
}
