import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { listHeroes } from '@causeway/store/tables/rooms.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { readStateAt, readStateKeysAt } from '../../rooms/current-state.ts'
import type { RoomInfo } from '../../rooms/stored-event.ts'
import type { SlidingContext } from './context.ts'

/** What of a room's face may have changed. */
export interface ChangedFace {
  /** State events among which its name and picture are, where they may be others than before. */
  readonly events: readonly StoredEvent[]
  /** It is told from the beginning: what is not among the events is not there. */
  readonly isWhole: boolean
  /** Who is there may be others than before. */
  readonly members: boolean
  /** The user is in the room. */
  readonly isJoined: boolean
}

/** Others by whom a room without a name is named. */
const MAX_HEROES = 5

function textIn(event: StoredEvent | undefined, key: string): string | undefined {
  const value = event?.content[key]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** `name`, `avatar`, `heroes` and the numbers of members, as members of a JSON object; only what may have changed. */
export async function readOverview(
  ctx: SlidingContext,
  room: RoomInfo,
  root: number,
  changed: ChangedFace,
): Promise<string[]> {
  const engine = ctx.hs.rooms
  const parts: string[] = []
  const among = (type: string): StoredEvent | undefined =>
    changed.events.find((event) => event.type === type && event.stateKey === '')
  const name = textIn(among('m.room.name'), 'name')
  if (name !== undefined) parts.push(`"name":${JSON.stringify(name)}`)
  const avatar = textIn(among('m.room.avatar'), 'url')
  if (avatar !== undefined) parts.push(`"avatar":${JSON.stringify(avatar)}`)
  if (!changed.isJoined || !changed.members) return parts
  const counts = await engine.members.counts(room.roomNid)
  parts.push(`"joined_count":${counts.joined},"invited_count":${counts.invited}`)
  const current = changed.isWhole ? undefined : await readStateAt(engine, room, root, 'm.room.name', '')
  if (name !== undefined || textIn(current?.stored, 'name') !== undefined) return parts
  const heroes = await readHeroes(ctx, room, root, counts.joined + counts.invited > 1)
  if (heroes.length > 0) parts.push(`"heroes":${JSON.stringify(heroes)}`)
  return parts
}

/** Others who are there or invited, else who was. */
async function readHeroes(
  ctx: SlidingContext,
  room: RoomInfo,
  root: number,
  hasOthers: boolean,
): Promise<object[]> {
  const { hs, session } = ctx
  const memberships = hasOthers ? ['join', 'invite'] : ['leave', 'ban']
  const userIds = (await listHeroes(hs.db, room.roomNid, session.userId, memberships, MAX_HEROES)) as UserId[]
  const names = userIds.map((stateKey) => ({ type: 'm.room.member', stateKey }))
  const members = await readStateKeysAt(hs.rooms, room, root, names)
  return userIds.map((userId, at) => ({
    user_id: userId,
    displayname: textIn(members[at]?.stored, 'displayname'),
    avatar_url: textIn(members[at]?.stored, 'avatar_url'),
  }))
}
