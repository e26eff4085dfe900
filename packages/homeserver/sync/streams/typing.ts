import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { SyncContext } from '../context.ts'

/**
 * Who types, as one `m.typing` event as JSON per room in which that changed since the last sync; on a first sync,
 * and of a room that the reader came into, where somebody does. Never a query.
 * https://spec.matrix.org/v1.19/client-server-api/#typing-notifications
 */
export async function readTyping(ctx: SyncContext): Promise<ReadonlyMap<RoomId, string>> {
  const { hs, since, now, filter } = ctx
  const told = new Map<RoomId, string>()
  if (since !== undefined && now.volatile === since.volatile && !hasFreshRoom(ctx)) return told
  if (filter.ephemeral.isEmpty || !filter.ephemeral.passes({ type: 'm.typing' })) return told
  for (const roomId of ctx.rooms.joined) {
    if (!filter.passesRoom(roomId) || !filter.ephemeral.passesRoom(roomId)) continue
    const typing = hs.typing.of(roomId)
    if (typing === undefined) continue
    const isFresh = since === undefined || ctx.rooms.byId.get(roomId)!.eventNid > since.position
    if (isFresh ? typing.userIds.length === 0 : typing.changedAt <= since.volatile) continue
    told.set(roomId, `{"type":"m.typing","content":{"user_ids":${JSON.stringify(typing.userIds)}}}`)
  }
  return told
}

function hasFreshRoom({ rooms, since }: SyncContext): boolean {
  for (const roomId of rooms.joined) if (rooms.byId.get(roomId)!.eventNid > since!.position) return true
  return false
}
