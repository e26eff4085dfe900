import type { EventId, UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { RoomEngine } from '../engine.ts'
import type { RoomPeers } from '../peers/room-peers.ts'
import { findEventsByNid } from '../read-events.ts'
import { verifyPdus, type VerifiedPdu } from '../receive/verify-pdus.ts'
import type { RoomInfo } from '../stored-event.ts'
import { storeOutOfBand } from './out-of-band.ts'

/** So many are looked at in one transaction: each costs a check of signatures. */
const MAX_RESCISSIONS = 10

/**
 * Of events of a room that we are not in, takes those by which somebody takes back an invitation of a user of ours, or
 * turns their knock down, and tells the user. Only whoever invited may take that back: who else has the power to, we
 * cannot know without the room's state, nor may we ask for it. Nor do we know who may answer a knock: there everybody is
 * believed who names it, which nobody outside the room can; the worst that comes of a lie is that the user knocks again.
 * Resolves with the ids of what was taken.
 */
export async function receiveRescissions(
  engine: RoomEngine,
  peers: Pick<RoomPeers, 'loadKeys' | 'verify'>,
  room: RoomInfo,
  pdus: readonly unknown[],
  signal?: AbortSignal,
): Promise<Set<EventId>> {
  const taken = new Set<EventId>()
  const candidates = pdus.filter((pdu) => mayRescind(engine, pdu)).slice(0, MAX_RESCISSIONS)
  if (candidates.length === 0) return taken
  for (const verdict of await verifyPdus(peers, room, candidates, signal)) {
    if (!verdict.ok) continue
    const { roomId, rules } = room
    const { pdu } = verdict
    // Whoever was turned down may knock again at this very moment.
    const holds = (): Promise<boolean> => rescinds(engine, room, pdu)
    if (!(await holds())) continue
    const stored = await storeOutOfBand(engine, { roomId, rules, pdu, stripped: undefined, holds })
    if (stored !== undefined) taken.add(stored.eventId)
  }
  return taken
}

/** At first sight, before anything is fetched for it: an end of the membership of a user of ours, by another. */
function mayRescind({ serverName }: RoomEngine, pdu: unknown): boolean {
  if (typeof pdu !== 'object' || pdu === null) return false
  const { type, sender, state_key: target } = pdu as Record<string, unknown>
  if (type !== 'm.room.member' || typeof target !== 'string' || target === sender) return false
  return target.endsWith(`:${serverName}`)
}

/** Whether it ends an invitation that stands, by the word of who spoke it, or a knock; it has to know of either. */
async function rescinds(engine: RoomEngine, room: RoomInfo, { event }: VerifiedPdu): Promise<boolean> {
  const { sender, state_key: target, content } = event.pdu
  if (content['membership'] !== 'leave' && content['membership'] !== 'ban') return false
  if (serverNameOf(target as UserId) !== engine.serverName) return false
  const standing = (await engine.members.roomsOf(target as UserId)).byId.get(room.roomId)
  if (standing?.membership !== 'invite' && standing?.membership !== 'knock') return false
  const ended = (await findEventsByNid(engine, [standing.eventNid])).get(standing.eventNid)
  if (ended === undefined || !event.authEventIds.includes(ended.eventId)) return false
  return standing.membership === 'knock' || ended.sender === sender
}
