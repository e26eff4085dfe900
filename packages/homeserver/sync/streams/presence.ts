import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { presenceEvent } from '../../presence/presence-event.ts'
import type { SyncContext } from '../context.ts'

/**
 * Presence of the reader and of those who share a room with them, as JSON texts of events: who is there on a
 * first sync, else what changed; of people who met in a room since, who is there.
 * https://spec.matrix.org/v1.19/client-server-api/#presence
 */
export async function readPresence(ctx: SyncContext): Promise<string[]> {
  const { hs, session, filter } = ctx
  if (filter.presence.isEmpty || !hs.config.presence.enabled) return []
  const now = hs.clock.now()
  const events: string[] = []
  for (const userId of new Set(await candidates(ctx))) {
    const presence = hs.presence.of(userId)
    if (presence === undefined || !filter.presence.passes({ type: 'm.presence', sender: userId })) continue
    if (userId !== session.userId && !(await hs.rooms.members.shareRoom(session.userId, userId))) continue
    events.push(presenceEvent(userId, presence, now))
  }
  return events
}

async function candidates(ctx: SyncContext): Promise<readonly UserId[]> {
  const { hs, since, now } = ctx
  if (since === undefined) return hs.presence.present()
  const changed = now.volatile > since.volatile ? hs.presence.changedSince(since.volatile) : []
  return [...changed, ...(await newcomers(ctx, since.position))]
}

/** Those who came into one of the reader's rooms, and those whom the reader found in a new one. */
async function newcomers({ hs, rooms, entries }: SyncContext, position: number): Promise<UserId[]> {
  const met: UserId[] = []
  for (const roomId of rooms.joined) {
    const { eventNid, roomNid } = rooms.byId.get(roomId)!
    if (eventNid > position) met.push(...(await hs.rooms.members.localMembers(roomNid)))
  }
  for (const entry of entries ?? []) {
    if (entry.kind === 'event' && isJoin(entry.event)) met.push(entry.event.stateKey as UserId)
  }
  return met
}

function isJoin({ type, content }: StoredEvent): boolean {
  return type === 'm.room.member' && content['membership'] === 'join'
}
