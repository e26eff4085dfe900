import type { AnyEndpoint } from '../http/endpoint.ts'
import { getServerKey } from './endpoints/get-server-key.ts'
import { getVersion } from './endpoints/get-version.ts'
import { exchangeOpenIdToken } from './endpoints/openid-userinfo.ts'
import { bulkPerspectivesKeyQuery, perspectivesKeyQuery } from './endpoints/query-keys.ts'
import { joiningRoutes } from './joining/routes.ts'
import { getWellKnownServer } from './endpoints/well-known-server.ts'

import { sendTransaction } from './receiving/send-transaction.ts'

/** Every operation that other homeservers are offered. */
export const federationRoutes: readonly AnyEndpoint[] = [
  getVersion,
  getWellKnownServer,
  getServerKey,
  perspectivesKeyQuery,
  bulkPerspectivesKeyQuery,
  exchangeOpenIdToken,
  sendTransaction,
  ...joiningRoutes,
]
