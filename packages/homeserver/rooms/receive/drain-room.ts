import type { EventId, RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { toRoomEvent } from '@causeway/matrix/events/make-room-event.ts'
import type { Pdu } from '@causeway/matrix/events/pdu.ts'
import { parseJsonObject } from '@causeway/matrix/json/parse.ts'
import {
  countAttempt,
  deleteInboundPdu,
  listInboundPdus,
  type InboundPduRow,
} from '@causeway/store/tables/inbound-pdus.ts'
import { sha256 } from '../../crypto/sha256.ts'
import { findRoom } from '../load-head.ts'
import type { RoomInfo } from '../stored-event.ts'
import type { ReceiveDeps } from './deps.ts'
import { fillGaps } from './fill-gaps.ts'
import { placeEvents } from './place-events.ts'
import { acceptedOf, countReceived, isWaiting, type Received, type Waiting } from './receive-batch.ts'
import { isHopeless, waitAfter } from './retry-times.ts'
import type { VerifiedPdu } from './verify-pdus.ts'

/** Waiting events looked at in one round. */
const ROUND = 50
/** How a round went: `done`: nothing waits any more; `again`: something moved; `later`: what is left is not due yet. */
export type RoundOutcome = 'done' | 'again' | 'later'

/** What a round needs beside the room, and tells. */
export interface DrainTools {
  readonly serversOf: (room: RoomInfo) => Promise<readonly ServerName[]>
  readonly signal: AbortSignal
  /** Events that the waiting ones refer to and that are not there. */
  readonly onWaiting: (missing: ReadonlySet<EventId>) => void
  /** Events that have become part of the room. */
  readonly onPlaced: (room: RoomInfo, pdus: readonly VerifiedPdu[]) => Promise<void>
}

/**
 * One round for a room's waiting events: those that can be placed are; for those of the others that are due, what they
 * refer to is fetched: from the server that sent them, and from others on later attempts. Whatever can't be had after
 * all becomes a gap.
 */
export async function drainRound(
  deps: ReceiveDeps,
  roomId: RoomId,
  { serversOf, signal, onWaiting, onPlaced }: DrainTools,
): Promise<RoundOutcome> {
  const { engine, clock } = deps
  const rows = await listInboundPdus(engine.db, roomId, ROUND)
  const room = rows.length === 0 ? undefined : await findRoom(engine, roomId)
  if (room === undefined) return 'done'
  const pdus = rows.map((row) => pduOfRow(room, row))
  const results = await placeEvents(deps, roomId, pdus, { done: (id) => [deleteInboundPdu(roomId, id)] })
  const waiting = new Map([...results].filter((entry): entry is [EventId, Waiting] => isWaiting(entry[1])))
  report(deps, roomId, results)
  onWaiting(new Set([...waiting.values()].flatMap(({ prevs, auths }) => [...prevs, ...auths])))
  await onPlaced(room, acceptedOf(pdus, results))
  if (waiting.size === 0) return rows.length < ROUND ? 'done' : 'again'
  const now = clock.now()
  const due = rows.filter(
    (row) => waiting.has(row.event_id as EventId) && row.due_ts <= now && !isHopeless(row),
  )
  if (due.length === 0) return waiting.size < results.size ? 'again' : 'later'
  const server = await serverToAsk(room, due[0]!, serversOf)
  const asked = due.filter((row) => row.origin === due[0]!.origin && row.attempts === due[0]!.attempts)
  if (await fillGaps({ ...deps, onPlaced }, asked, pdus, { room, server, signal })) return 'again'
  const steps = asked.map((row) => countAttempt(roomId, row.event_id, now + waitAfter(row)))
  await engine.db.commit({ entries: [], steps })
  return 'again'
}

function pduOfRow(room: RoomInfo, row: InboundPduRow): VerifiedPdu {
  const pdu = parseJsonObject(row.json) as unknown as Pdu
  return { event: toRoomEvent(room.rules, pdu, sha256, row.event_id as EventId), json: row.json }
}

/** Whom to ask: the sender first, then by attempt the others in the room. */
async function serverToAsk(
  room: RoomInfo,
  { origin, attempts }: InboundPduRow,
  serversOf: (room: RoomInfo) => Promise<readonly ServerName[]>,
): Promise<ServerName> {
  const sender = origin as ServerName
  if (attempts === 0) return sender
  const candidates = [sender, ...(await serversOf(room)).filter((name) => name !== sender)]
  return candidates[attempts % candidates.length]!
}

function report(
  { logger, figures }: ReceiveDeps,
  roomId: RoomId,
  results: ReadonlyMap<EventId, Received>,
): void {
  for (const [eventId, received] of results) {
    countReceived(figures, received)
    if (received.outcome !== 'rejected' && received.outcome !== 'soft-failed') continue
    logger.info(`an event was ${received.outcome}`, { roomId, eventId, reason: received.reason })
  }
}
