import type { Signer } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import type { FederationClient, FetchUrl } from './federation-client.ts'
import type { Destinations } from './client/destinations.ts'
import type { FederationTally } from './client/tally.ts'
import type { Discovery } from './discovery/discovery.ts'
import type { Keyring } from './keyring.ts'
import type { Notary } from './keys/notary.ts'
import type { OwnKeys } from './keys/own-keys.ts'
import type { AuthenticateServer } from '../http/router.ts'
import type { ServerFilter } from './server-filter.ts'

/** Everything by which a running server meets others. */
export interface Federation extends AsyncDisposable {
  readonly client: FederationClient
  /** GET of an https address that a server named; redirects are followed, private addresses refused. */
  readonly fetchUrl: FetchUrl
  readonly keyring: Keyring
  readonly ownKeys: OwnKeys
  readonly notary: Notary
  readonly discovery: Discovery
  readonly destinations: Destinations
  readonly filter: ServerFilter
  readonly tally: FederationTally
  /** Which server sent a request. */
  readonly authenticate: AuthenticateServer
  /** Takes one of the requests for keys that an address may cause; false when it has had its share. */
  mayFetchKeys(ip: string): boolean
}

/** Who we are towards other servers. */
export interface OwnIdentity {
  readonly serverName: ServerName
  readonly signer: Signer
  readonly ownKeys: OwnKeys
}
