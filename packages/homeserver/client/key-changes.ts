// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3keyschanges
import { Type } from 'typebox'
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { Homeserver } from '../homeserver.ts'
import { findDeviceListChanges } from '../devices/device-list-changes.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { parseSyncToken } from '../sync/token.ts'
import { roomsConcerning } from '../rooms/membership-index.ts'
import { v3 } from './paths.ts'

function positionOf(hs: Pick<Homeserver, 'epochs'>, token: string): number {
  const parsed = parseSyncToken(token, hs.epochs)
  if (parsed === undefined) throw invalidParam('This token is from before the server was restored; sync anew')
  return parsed.position
}

export const keyChanges = defineEndpoint({
  operation: 'getKeysChanges',
  method: 'GET',
  ...v3('/keys/changes'),
  auth: 'user',
  rateLimit: 'keys',
  query: Type.Object({ from: Type.String(), to: Type.String() }),
  run: async (hs, { session, query }) => {
    const { userId } = session
    const after = positionOf(hs, query.from)
    const upTo = Math.min(positionOf(hs, query.to), hs.log.head())
    if (upTo <= after) return { changed: [], left: [] }
    const rooms = await hs.rooms.members.roomsOf(userId)
    const held = hs.log.ring.sinceOf(after, roomsConcerning(rooms, after), new Set([userId]))
    const entries = held === 'fell-behind' ? undefined : held.filter((entry) => entry.position <= upTo)
    const changes = await findDeviceListChanges(hs, { userId, rooms, entries, after, upTo })
    return { changed: changes?.changed ?? [], left: changes?.left ?? [] }
  },
})
