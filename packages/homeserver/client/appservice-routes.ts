import type { AnyEndpoint } from '../http/endpoint.ts'
import { pingAppservice } from './appservice-ping.ts'
import { updateAppserviceRoomDirectoryVisibility } from './appservice-room-directory.ts'

/** What only application services may use. */
export const appserviceRoutes: readonly AnyEndpoint[] = [
  pingAppservice,
  updateAppserviceRoomDirectoryVisibility,
]
