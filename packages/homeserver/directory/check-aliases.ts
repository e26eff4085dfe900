import { forbidden, MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { parseRoomAlias } from '@causeway/matrix/ids/room-alias.ts'
import { findRoom } from '../rooms/load-head.ts'
import { maySendState, readNewestState } from '../rooms/newest-state.ts'
import { lookUpAlias } from './look-up-alias.ts'

type Deps = Parameters<typeof lookUpAlias>[0]

/** More than a room gets at a time by hand; each may be asked of another server. */
const MAX_NEW = 50

/**
 * Sees to it that every address which `m.room.canonical_alias` adds is one, and leads to the room, whichever server it is
 * of; what stands there already may be out of date. Other servers are asked only for who may set it. Throws `M_FORBIDDEN`,
 * `M_INVALID_PARAM`, `M_BAD_ALIAS`, and `M_UNKNOWN` (502) where the alias' server does not answer. May wait for the network.
 * https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey
 */
export async function checkNewAliases(
  hs: Deps,
  {
    roomId,
    stateKey,
    sender,
    content,
  }: { roomId: RoomId; stateKey: string; sender: UserId; content: JsonObject },
): Promise<void> {
  if (content['alt_aliases'] !== undefined && !Array.isArray(content['alt_aliases']))
    throw new MatrixError('M_INVALID_PARAM', 'alt_aliases must be a list of aliases')
  const room = await findRoom(hs.rooms, roomId)
  if (room === undefined || !(await maySendState(hs.rooms, room, sender, 'm.room.canonical_alias')))
    throw forbidden('You may not change the addresses of this room')
  const [now] = await readNewestState(hs.rooms, room, [{ type: 'm.room.canonical_alias', stateKey }])
  const present = new Set(listed(now?.stored.content ?? {}))
  const added = [...new Set(listed(content))].filter((alias) => !present.has(alias))
  if (added.length > MAX_NEW)
    throw new MatrixError('M_INVALID_PARAM', `A room gets at most ${MAX_NEW} aliases at a time`)
  for (const text of added) await requireLeadsTo(hs, text, roomId)
}

/** Absent, empty and null all say that there is no main address. */
function listed({ alias, alt_aliases: others }: JsonObject): JsonValue[] {
  const main = alias === undefined || alias === null || alias === '' ? [] : [alias]
  return [...main, ...(Array.isArray(others) ? others : [])]
}

async function requireLeadsTo(hs: Deps, text: JsonValue, roomId: RoomId): Promise<void> {
  const alias = typeof text === 'string' ? parseRoomAlias(text) : undefined
  if (alias === undefined)
    throw new MatrixError('M_INVALID_PARAM', `${JSON.stringify(text)} is no room alias`)
  const target = await lookUpAlias(hs, alias).catch((error: unknown) => {
    if (error instanceof MatrixError && error.errcode === 'M_NOT_FOUND') return undefined
    throw error
  })
  if (target?.roomId !== roomId) throw new MatrixError('M_BAD_ALIAS', `${alias} does not point at this room`)
}
