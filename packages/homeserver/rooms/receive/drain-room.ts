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
import type { ServerTurns } from './server-turns.ts'
import type { VerifiedPdu } from './verify-pdus.ts'

/** Waiting events looked at in one round. */
const ROUND = 50
/**
 * How a round went: `done`: nothing waits any more; `again`: something moved; `later`: what is left is not due yet;
 * `crowded`: enough other rooms wait for those who would have to be asked.
 */
export type RoundOutcome = 'done' | 'again' | 'later' | 'crowded'

/** What a round needs beside the room, and tells. */
export interface DrainTools {
  readonly serversOf: (room: RoomInfo) => Promise<readonly ServerName[]>
  readonly signal: AbortSignal
  readonly turns: ServerTurns
  /** After a crowded round: one of those who have to be asked is free. */
  readonly onTurn: () => void
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
  tools: DrainTools,
): Promise<RoundOutcome> {
  const { signal, onWaiting, onPlaced } = tools
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
  const turn = await takeTurn(room, due, tools)
  if (turn === undefined) return 'crowded'
  const { server, asked } = turn
  try {
    if (await fillGaps({ ...deps, onPlaced }, asked, pdus, { room, server, signal })) return 'again'
  } finally {
    turn.giveBack()
  }
  const steps = asked.map((row) => countAttempt(roomId, row.event_id, now + waitAfter(row)))
  await engine.db.commit({ entries: [], steps })
  return 'again'
}

function pduOfRow(room: RoomInfo, row: InboundPduRow): VerifiedPdu {
  const pdu = parseJsonObject(row.json) as unknown as Pdu
  return { event: toRoomEvent(room.rules, pdu, sha256, row.event_id as EventId), json: row.json }
}

/** Whom to ask, and for which of the events that are due. */
interface Turn {
  readonly server: ServerName
  readonly asked: readonly InboundPduRow[]
  readonly giveBack: () => void
}

/** A turn of the first server that has one; undefined when none has, and the room is told when that changes. */
async function takeTurn(
  room: RoomInfo,
  due: readonly InboundPduRow[],
  { serversOf, turns, onTurn }: DrainTools,
): Promise<Turn | undefined> {
  const crowded = new Set<ServerName>()
  for (const asked of Map.groupBy(due, ({ origin, attempts }) => `${attempts} ${origin}`).values()) {
    for (const server of await serversToAsk(room, asked[0]!, serversOf)) {
      const giveBack = crowded.has(server) ? undefined : turns.take(server, room.roomId)
      if (giveBack !== undefined) return { server, asked, giveBack }
      crowded.add(server)
    }
  }
  for (const server of crowded) turns.whenFree(server, room.roomId, onTurn)
  return undefined
}

/** Whom to ask: the sender first, then by attempt the others in the room, each of whom may stand in for another. */
async function serversToAsk(
  room: RoomInfo,
  { origin, attempts }: InboundPduRow,
  serversOf: (room: RoomInfo) => Promise<readonly ServerName[]>,
): Promise<readonly ServerName[]> {
  const sender = origin as ServerName
  if (attempts === 0) return [sender]
  const candidates = [sender, ...(await serversOf(room)).filter((name) => name !== sender)]
  const first = attempts % candidates.length
  return [...candidates.slice(first), ...candidates.slice(0, first)]
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
