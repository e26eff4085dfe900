import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { listHeroes } from '@causeway/store/tables/rooms.ts'
import { readStateKeysAt } from '../rooms/current-state.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import type { SyncContext } from './context.ts'

/**
 * How many are in a room, and, for a room without a name, who: what clients make a name of.
 * https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3sync (RoomSummary)
 */
export async function readSummary(ctx: SyncContext, room: RoomInfo, root: number): Promise<JsonObject> {
  const engine = ctx.hs.rooms
  const counts = await engine.members.counts(room.roomNid)
  const summary: JsonObject = {
    'm.joined_member_count': counts.joined,
    'm.invited_member_count': counts.invited,
  }
  const [name, alias] = await readStateKeysAt(engine, room, root, [
    { type: 'm.room.name', stateKey: '' },
    { type: 'm.room.canonical_alias', stateKey: '' },
  ])
  if (hasText(name?.stored.content['name']) || hasText(alias?.stored.content['alias'])) return summary
  return { ...summary, 'm.heroes': await heroes(ctx, room, counts.joined + counts.invited > 1) }
}

function hasText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

const MAX_HEROES = 5

/** Others who are there or invited; those who have left when nobody else is. */
async function heroes(ctx: SyncContext, room: RoomInfo, hasOthers: boolean): Promise<UserId[]> {
  const memberships = hasOthers ? ['join', 'invite'] : ['leave', 'ban']
  return listHeroes(ctx.hs.db, room.roomNid, ctx.session.userId, memberships, MAX_HEROES) as Promise<UserId[]>
}
