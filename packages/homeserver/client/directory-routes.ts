import type { AnyEndpoint } from '../http/endpoint.ts'
import { deleteRoomAlias, getLocalAliases, getRoomIdByAlias, setRoomAlias } from './aliases.ts'
import { getRoomVisibilityOnDirectory, setRoomVisibilityOnDirectory } from './directory-visibility.ts'
import { getPublicRooms, queryPublicRooms } from './public-rooms.ts'
import {
  getProtocolMetadata,
  getProtocols,
  queryLocationByAlias,
  queryLocationByProtocol,
  queryUserByID,
  queryUserByProtocol,
} from './third-party.ts'
import { searchUserDirectory } from './user-directory.ts'

/** Rooms by name: aliases and the public directory. People by name. Other networks. */
export const directoryRoutes: readonly AnyEndpoint[] = [
  setRoomAlias,
  getRoomIdByAlias,
  deleteRoomAlias,
  getLocalAliases,
  getRoomVisibilityOnDirectory,
  setRoomVisibilityOnDirectory,
  getPublicRooms,
  queryPublicRooms,
  searchUserDirectory,
  getProtocols,
  getProtocolMetadata,
  queryLocationByProtocol,
  queryUserByProtocol,
  queryLocationByAlias,
  queryUserByID,
]
