import type { AnyEndpoint } from '../http/endpoint.ts'
import { deleteRoomAlias, getLocalAliases, getRoomIdByAlias, setRoomAlias } from './aliases.ts'
import { getRoomVisibilityOnDirectory, setRoomVisibilityOnDirectory } from './directory-visibility.ts'
import { getPublicRooms, queryPublicRooms } from './public-rooms.ts'

/** Rooms by name: aliases and the public directory. */
export const directoryRoutes: readonly AnyEndpoint[] = [
  setRoomAlias,
  getRoomIdByAlias,
  deleteRoomAlias,
  getLocalAliases,
  getRoomVisibilityOnDirectory,
  setRoomVisibilityOnDirectory,
  getPublicRooms,
  queryPublicRooms,
]
