import type { EventId, RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { findEventRows, type EventRow } from '@causeway/store/tables/events.ts'
import { deletePolicyWait, listPolicyWaits } from '@causeway/store/tables/policy-waits.ts'
import { replaceRejection } from '@causeway/store/tables/state-roots.ts'
import { readStateKeysAt } from '../current-state.ts'
import { findRoom } from '../load-head.ts'
import type { ReceiveDeps } from '../receive/deps.ts'
import { hasSameMembers, pduOfRefused } from '../receive/judge-soft-failed.ts'
import { acceptedOf, receiveBatch } from '../receive/receive-batch.ts'
import type { VerifiedPdu } from '../receive/verify-pdus.ts'
import type { RoomInfo } from '../stored-event.ts'
import { POLICY_STATE, policyServerOf } from './find-policy.ts'
import { askPolicyServer } from './others-events.ts'

/** Events looked at in one round. */
const ROUND = 50
/** After so long nobody wants to see an event any more that nobody could vouch for. */
const MAX_AGE_MS = 7 * 24 * 60 * 60_000

/** How a round went. */
export interface AskedAgain {
  /** Nothing is left, or there is more to look at now. */
  readonly outcome: 'done' | 'more' | 'unreachable'
  /** Who still does not answer. */
  readonly down: readonly ServerName[]
  /** Events that have become part of the room. */
  readonly accepted: readonly VerifiedPdu[]
}

/**
 * Asks a room's policy server about events that are soft-failed since it could not be asked when they came. What it signs
 * is judged anew and shown where the current state allows it and has decided nothing else of its members since (see
 * `judge-soft-failed.ts`); what it refuses stays as it is, with its reason. One server that does not answer costs one
 * request. Never inside the room's queue.
 */
export async function askAgain(
  deps: ReceiveDeps,
  roomId: RoomId,
  signal: AbortSignal,
): Promise<{ readonly room: RoomInfo; readonly asked: AskedAgain } | undefined> {
  const { engine, clock, figures, logger } = deps
  const room = await findRoom(engine, roomId)
  const waits = room === undefined ? [] : await listPolicyWaits(engine.db, room.roomNid, ROUND)
  if (room === undefined || waits.length === 0) return undefined
  const recent = waits.filter((wait) => wait.since_ts > clock.now() - MAX_AGE_MS)
  const rows = await findEventRows(
    engine.db,
    recent.map((wait) => wait.event_id),
  )
  const open = rows.filter((row) => row.room_nid === room.roomNid && (row.flags & EventFlag.softFailed) !== 0)
  const answers = await askByState(deps, room, open, signal)
  const signed = answers.pdus.filter((pdu) => pdu.notSigned === undefined)
  const placed = await receiveBatch(engine, roomId, signed, { anew: hasSameMembers })
  const accepted = acceptedOf(signed, placed)
  for (const { event } of accepted) {
    figures.acceptedLater++
    logger.info('the policy server of a room signed an event after all', { roomId, eventId: event.eventId })
  }
  const left = new Set<EventId>(answers.unasked)
  const nidOf = new Map(open.map((row) => [row.event_id, row.nid]))
  const refused = answers.pdus.filter(({ isRefusedByPolicy }) => isRefusedByPolicy === true)
  const steps: Step[] = [
    ...waits
      .filter((wait) => !left.has(wait.event_id as EventId))
      .map((wait) => deletePolicyWait(room.roomNid, wait.event_id)),
    ...refused.flatMap(({ event, notSigned = '' }) =>
      replaceRejection(
        room.roomNid,
        nidOf.get(event.eventId)!,
        `The room's policy server did not sign the event: ${notSigned}`,
      ),
    ),
  ]
  if (steps.length > 0) await engine.db.commit({ entries: [], steps })
  const outcome = answers.down.length > 0 ? 'unreachable' : waits.length < ROUND ? 'done' : 'more'
  return { room, asked: { outcome, down: answers.down, accepted } }
}

interface Answers {
  /** Events that were answered: signed, or with why not. */
  readonly pdus: readonly VerifiedPdu[]
  /** Those that nobody could be asked about even now. */
  readonly unasked: readonly EventId[]
  readonly down: readonly ServerName[]
}

/** Each event is the concern of the policy server that the state before it names; where that is gone, of nobody. */
async function askByState(
  { engine }: ReceiveDeps,
  room: RoomInfo,
  open: readonly EventRow[],
  signal: AbortSignal,
): Promise<Answers> {
  const pdus: VerifiedPdu[] = []
  const unasked: EventId[] = []
  const down = new Set<ServerName>()
  for (const [root, rows] of Map.groupBy(open, (row) => row.state_before)) {
    const [entry] = await readStateKeysAt(engine, room, root, [POLICY_STATE])
    const server = await policyServerOf(engine, room, entry)
    if (server === undefined) continue
    const [first, ...others] = rows.map((row) => pduOfRefused(room, row))
    for (const portion of [[first!], others]) {
      if (down.has(server.name)) {
        unasked.push(...portion.map(({ event }) => event.eventId))
        continue
      }
      const answers = [...(await askPolicyServer(engine, room, server, portion, signal)).values()]
      const isOpen = ({ notSigned, isRefusedByPolicy }: VerifiedPdu): boolean =>
        notSigned !== undefined && isRefusedByPolicy !== true
      pdus.push(...answers.filter((pdu) => !isOpen(pdu)))
      unasked.push(...answers.filter(isOpen).map(({ event }) => event.eventId))
      if (answers.some(isOpen)) down.add(server.name)
    }
  }
  return { pdus, unasked, down: [...down] }
}
