import type { EventId, RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { isServerAllowed } from '@causeway/matrix/server-acl/is-server-allowed.ts'
import { eventIdOf } from '@causeway/matrix/events/event-id-of.ts'
import type { Pdu } from '@causeway/matrix/events/pdu.ts'
import { sha256 } from '../../crypto/sha256.ts'
import { receiveRescissions } from '../join/receive-rescission.ts'
import { findRoom } from '../load-head.ts'
import { readNewestState } from '../newest-state.ts'
import { POLICY_STATE, policyServerOf } from '../policy/find-policy.ts'
import { askAboutEvents } from '../policy/others-events.ts'
import type { PolicyServer } from '../policy/policy-server.ts'
import type { RoomInfo } from '../stored-event.ts'
import type { ReceiveDeps } from './deps.ts'
import type { Inbox } from './inbox.ts'
import { MANY_BRANCHES, mergeBranches } from './merge-branches.ts'
import { acceptedOf, countReceived, receiveBatch, type Received } from './receive-batch.ts'
import { verifyPdus, type VerifiedPdu } from './verify-pdus.ts'

/** Answer for one PDU of a transaction: nothing, or why it was not taken in. */
export type PduResults = Map<EventId, { readonly error?: string }>

/**
 * The PDUs of one room from one transaction: those that can be placed are durable and told to clients when this
 * resolves; those that refer to what we do not hold are durable, too, and placed as soon as that was fetched, so that
 * a sender never waits for another server. One bad event does not touch its neighbors.
 * https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1sendtxnid
 */
export async function receivePdus(
  deps: ReceiveDeps & { readonly inbox: Inbox },
  origin: ServerName,
  roomId: RoomId,
  pdus: readonly unknown[],
  signal?: AbortSignal,
): Promise<PduResults> {
  const { engine } = deps
  const room = await findRoom(engine, roomId)
  const isHere = room !== undefined && (await engine.members.localMembers(room.roomNid)).size > 0
  if (!isHere) return receiveFromOutside(deps, room, pdus, signal)
  const names = [{ type: 'm.room.server_acl', stateKey: '' }, POLICY_STATE]
  const [acl, policy] = await readNewestState(engine, room, names)
  if (!isServerAllowed(acl?.stored.content, origin)) {
    return refuseAll(room, pdus, 'Your server may not take part in this room')
  }
  return receiveAllowed(
    deps,
    { origin, room, policy: await policyServerOf(engine, room, policy) },
    pdus,
    signal,
  )
}

/** Of a room that we are not in we take nothing but what ends an invitation or a knock. */
async function receiveFromOutside(
  { engine, peers }: ReceiveDeps,
  room: RoomInfo | undefined,
  pdus: readonly unknown[],
  signal: AbortSignal | undefined,
): Promise<PduResults> {
  const results: PduResults = refuseAll(room, pdus, 'This server is not in the room')
  if (room === undefined) return results
  for (const eventId of await receiveRescissions(engine, peers, room, pdus, signal)) results.set(eventId, {})
  return results
}

/** Who sends, into which room, and which server that room has look at its events. */
interface Admitted {
  readonly origin: ServerName
  readonly room: RoomInfo
  readonly policy: PolicyServer | undefined
}

async function receiveAllowed(
  deps: ReceiveDeps & { readonly inbox: Inbox },
  { origin, room, policy }: Admitted,
  pdus: readonly unknown[],
  signal: AbortSignal | undefined,
): Promise<PduResults> {
  const results: PduResults = new Map()
  const verdicts = await verifyPdus(deps.peers, room, pdus, signal)
  const verified = verdicts.flatMap((verdict) => (verdict.ok ? [verdict.pdu] : []))
  const sound = await askAboutEvents(deps.engine, room, policy, verified, signal)
  verdicts.forEach((verdict, at) => {
    if (verdict.ok) return
    deps.figures.dropped++
    const eventId = verdict.eventId ?? guessEventId(room, pdus[at])
    deps.logger.info('a received event was dropped', { origin, roomId: room.roomId, reason: verdict.reason })
    if (eventId !== undefined) results.set(eventId, { error: verdict.reason })
  })
  const waiting: VerifiedPdu[] = []
  const placed = await receiveBatch(deps.engine, room.roomId, sound).catch((error: unknown) => {
    // A fault in one room is that room's alone: its events are kept, and tried again by themselves.
    deps.logger.warn('the events of a room could not be placed; they are kept', {
      origin,
      roomId: room.roomId,
      error,
    })
    return allWaiting(sound)
  })
  for (const [eventId, received] of placed) {
    if (received.outcome === 'waiting') waiting.push(sound.find(({ event }) => event.eventId === eventId)!)
    countReceived(deps.figures, received)
    results.set(eventId, received.outcome === 'rejected' ? { error: received.reason } : {})
  }
  await keepBranchesFew(deps, room.roomId)
  await deps.inbox.placed(room, acceptedOf(sound, placed))
  if (waiting.length === 0) return results
  const kept = await deps.inbox.keep(room, origin, waiting)
  for (const { event } of waiting.slice(kept)) {
    results.set(event.eventId, { error: 'Too many events of this room wait for others; send it again later' })
  }
  return results
}

/** Whoever sends into a room may make it fork as often as they like; what that costs us stays the same. */
async function keepBranchesFew({ engine, logger }: ReceiveDeps, roomId: RoomId): Promise<void> {
  const branches = engine.heads.peek(roomId)?.extremities.length ?? 0
  if (branches < MANY_BRANCHES) return
  await mergeBranches(engine, roomId).catch((error: unknown) =>
    logger.warn('the branches of a room cannot be joined', { roomId, branches, error }),
  )
}

function allWaiting(pdus: readonly VerifiedPdu[]): Map<EventId, Received> {
  return new Map(pdus.map(({ event }) => [event.eventId, { outcome: 'waiting', prevs: [], auths: [] }]))
}

function refuseAll(room: RoomInfo | undefined, pdus: readonly unknown[], error: string): PduResults {
  const ids = pdus.map((pdu) => (room === undefined ? undefined : guessEventId(room, pdu)))
  return new Map(ids.filter((id) => id !== undefined).map((id) => [id, { error }]))
}

/** The id of something that may be no event at all: only for telling its sender about it. */
function guessEventId({ rules }: RoomInfo, pdu: unknown): EventId | undefined {
  try {
    return eventIdOf(rules, pdu as Pdu, sha256)
  } catch {
    return undefined
  }
}
