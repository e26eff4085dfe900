import { Type, type Static } from 'typebox'
import type { RoomAlias, RoomId } from '@causeway/matrix/ids/ids.ts'
import { lookUpAlias } from '../directory/look-up-alias.ts'
import type { Homeserver } from '../homeserver.ts'

/** `via` since version 1.12 of the specification, `server_name` before. */
export const viaQuery = Type.Object({
  via: Type.Optional(Type.Array(Type.String(), { maxItems: 100 })),
  server_name: Type.Optional(Type.Array(Type.String(), { maxItems: 100 })),
})

/** A room by id or alias, and who may be in it. Throws `M_NOT_FOUND` for an alias that nobody has claimed. */
export async function locateRoom(
  hs: Homeserver,
  idOrAlias: RoomId | RoomAlias,
  query: Static<typeof viaQuery>,
): Promise<{ roomId: RoomId; via: string[] }> {
  const via = [...(query.via ?? []), ...(query.server_name ?? [])]
  if (idOrAlias.startsWith('!')) return { roomId: idOrAlias as RoomId, via }
  const { roomId, servers } = await lookUpAlias(hs, idOrAlias as RoomAlias)
  return { roomId, via: [...via, ...servers] }
}
