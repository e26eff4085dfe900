import type { AnyEndpoint } from '../http/endpoint.ts'
import { accountRoutes } from './account-routes.ts'
import { appserviceRoutes } from './appservice-routes.ts'
import { deviceKeyRoutes } from './device-key-routes.ts'
import { directoryRoutes } from './directory-routes.ts'
import { mediaRoutes } from './media-routes.ts'
import { relationRoutes } from './relation-routes.ts'
import { roomRoutes } from './room-routes.ts'
import { userDataRoutes } from './user-data-routes.ts'

/** Every operation that clients are offered. */
export const clientRoutes: readonly AnyEndpoint[] = [
  ...accountRoutes,
  ...appserviceRoutes,
  ...roomRoutes,
  ...relationRoutes,
  ...mediaRoutes,
  ...directoryRoutes,
  ...userDataRoutes,
  ...deviceKeyRoutes,
]
