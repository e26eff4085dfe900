import type { AnyEndpoint } from '../http/endpoint.ts'
import { claimUserKeys } from './devices/claim-user-keys.ts'
import { getUserDevices } from './devices/get-user-devices.ts'
import { queryUserKeys } from './devices/query-user-keys.ts'
import { getServerKey } from './endpoints/get-server-key.ts'
import { getVersion } from './endpoints/get-version.ts'
import { exchangeOpenIdToken } from './endpoints/openid-userinfo.ts'
import { bulkPerspectivesKeyQuery, perspectivesKeyQuery } from './endpoints/query-keys.ts'
import { joiningRoutes } from './joining/routes.ts'
import { getWellKnownServer } from './endpoints/well-known-server.ts'
import { getFederationMedia, getFederationThumbnail } from './media/media-endpoints.ts'
import { getPublicRooms, queryPublicRooms } from './people/public-rooms.ts'
import { queryRoomDirectory } from './people/query-directory.ts'
import { queryProfile } from './people/query-profile.ts'

import { historyRoutes } from './history/room-endpoints.ts'
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
  queryProfile,
  queryRoomDirectory,
  getPublicRooms,
  queryPublicRooms,
  getUserDevices,
  queryUserKeys,
  claimUserKeys,
  getFederationMedia,
  getFederationThumbnail,
  ...historyRoutes,
  ...joiningRoutes,
]
