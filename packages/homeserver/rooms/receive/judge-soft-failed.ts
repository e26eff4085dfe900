import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { selectAuthEvents } from '@causeway/matrix/event-auth/select-auth-events.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { getMany } from '@causeway/store/state/tree.ts'
import type { EventRow } from '@causeway/store/tables/events.ts'
import { listRefusedRows } from '@causeway/store/tables/rejections.ts'
import type { RoomWrite } from '../room-write.ts'
import { roomEventOfRow, type RoomInfo } from '../stored-event.ts'
import type { ReceiveDeps } from './deps.ts'
import { receiveBatch } from './receive-batch.ts'
import type { VerifiedPdu } from './verify-pdus.ts'

/** Soft-failed events that are looked at again, the newest: a stranger decides how many there are. */
const MAX_ANEW = 50

/** What the rules ask of a room's state when they allow an event. */
export const AUTH_TYPES: ReadonlySet<string> = new Set([
  'm.room.member',
  'm.room.power_levels',
  'm.room.join_rules',
  'm.room.third_party_invite',
])

/**
 * Judges soft-failed events anew after events were accepted that may have been missing when those came. One is accepted
 * after all when the room's current state allows it now *and* has for the members concerned the very memberships that
 * the state before it has: then what stood against it was only that we knew less than its sender. What the room has
 * since decided anew (somebody who was banned comes again) is no reason to show what was refused then.
 */
export async function judgeSoftFailedAfter(
  deps: ReceiveDeps,
  room: RoomInfo,
  accepted: readonly VerifiedPdu[],
): Promise<void> {
  const mayMatter = accepted.some(
    ({ event: { pdu } }) => pdu.state_key !== undefined && AUTH_TYPES.has(pdu.type),
  )
  if (!mayMatter) return
  const { engine, figures, logger } = deps
  const rows = await listRefusedRows(engine.db, room.roomNid, { limit: MAX_ANEW }, EventFlag.softFailed)
  if (rows.length === 0) return
  const pdus = rows.map((row) => pduOfRefused(room, row))
  const results = await receiveBatch(engine, room.roomId, pdus, { anew: hasSameMembers })
  for (const [eventId, { outcome }] of results) {
    if (outcome !== 'accepted') continue
    figures.acceptedLater++
    logger.info('an event that was soft-failed is accepted after all', { roomId: room.roomId, eventId })
  }
}

export function pduOfRefused(room: RoomInfo, row: EventRow): VerifiedPdu {
  const json = typeof row.json === 'string' ? new TextEncoder().encode(row.json) : row.json
  const event = { ...roomEventOfRow(room, row), eventId: row.event_id as EventId }
  return { event, json, isRedacted: (row.flags & EventFlag.redacted) !== 0 }
}

/** Whether the state before an event and the current one agree in the memberships that the rules look at for it. */
export async function hasSameMembers(
  { head, stateRoot }: RoomWrite,
  { event: { pdu } }: VerifiedPdu,
  stateBefore: number,
): Promise<boolean> {
  const { type, sender, state_key: stateKey, content } = pdu
  const names = selectAuthEvents(head.rules, { type, sender, stateKey, content })
    .filter(([ofType]) => ofType === 'm.room.member')
    .map(([ofType, ofKey]) => ({ type: ofType, stateKey: ofKey }))
  const keyNids = (await head.keys.find(head.roomNid, names)).filter((keyNid) => keyNid !== undefined)
  const [before, now] = await Promise.all(
    [stateBefore, stateRoot].map((root) => getMany(head.nodes, head.roomNid, root, keyNids)),
  )
  return keyNids.every((_, at) => before![at] === now![at])
}
