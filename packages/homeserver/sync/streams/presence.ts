import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { listJoinedRoomsOf } from '@causeway/store/tables/device-lists.ts'
import { presenceEvent } from '../../presence/presence-event.ts'
import type { SyncContext } from '../context.ts'

/**
 * Presence of the reader and of those who share a room with them, as JSON texts of events: who is there on a
 * first sync, else what changed; of people who met in a room since, who is there.
 * https://spec.matrix.org/v1.19/client-server-api/#presence
 */
export async function readPresence(ctx: SyncContext): Promise<string[]> {
  const { hs, filter } = ctx
  if (filter.presence.isEmpty || !hs.config.presence.enabled) return []
  const now = hs.clock.now()
  const wanted = new Set(await candidates(ctx))
  const known = [...wanted].filter((userId) => hs.presence.of(userId) !== undefined)
  const sharers = await findSharers(ctx, known)
  return known
    .filter((userId) => sharers.has(userId) && filter.presence.passes({ type: 'm.presence', sender: userId }))
    .map((userId) => presenceEvent(userId, hs.presence.of(userId), now))
}

/** Up to so many users, their rooms are looked up one by one, mostly in memory. */
const FEW_USERS = 20

/** The reader, and those who are in a room with them. */
async function findSharers(ctx: SyncContext, userIds: readonly UserId[]): Promise<ReadonlySet<UserId>> {
  const { hs, session } = ctx
  const sharers = new Set([session.userId])
  if (userIds.length > FEW_USERS) {
    for (const row of await listJoinedRoomsOf(hs.db, userIds, joinedNids(ctx)))
      sharers.add(row.user_id as UserId)
    return sharers
  }
  for (const userId of userIds)
    if (await hs.rooms.members.shareRoom(session.userId, userId)) sharers.add(userId)
  return sharers
}

function joinedNids({ rooms }: SyncContext, since = -Infinity): number[] {
  return [...rooms.joined]
    .map((roomId) => rooms.byId.get(roomId)!)
    .filter((room) => room.eventNid > since)
    .map((room) => room.roomNid)
}

async function candidates(ctx: SyncContext): Promise<readonly UserId[]> {
  const { hs, since, now } = ctx
  if (since === undefined) return hs.presence.present()
  const changed = now.volatile > since.volatile ? hs.presence.changedSince(since.volatile) : []
  return [...changed, ...(await newcomers(ctx, since.position))]
}

/** Those who came into one of the reader's rooms, and those whom the reader found in a new one. */
async function newcomers(ctx: SyncContext, position: number): Promise<UserId[]> {
  const { hs, entries } = ctx
  const met: UserId[] = []
  const fresh = joinedNids(ctx, position)
  for (const roomNid of fresh) met.push(...(await hs.rooms.members.localMembers(roomNid)))
  const strangers =
    fresh.length === 0 ? [] : hs.presence.present().filter((userId) => isStranger(ctx, userId))
  if (strangers.length > 0) {
    for (const row of await listJoinedRoomsOf(hs.db, strangers, fresh)) met.push(row.user_id as UserId)
  }
  for (const entry of entries ?? []) {
    if (entry.kind === 'event' && isJoin(entry.event)) met.push(entry.event.stateKey as UserId)
  }
  return met
}

function isStranger({ hs }: SyncContext, userId: UserId): boolean {
  return serverNameOf(userId) !== hs.serverName
}

function isJoin({ type, content }: StoredEvent): boolean {
  return type === 'm.room.member' && content['membership'] === 'join'
}
