import type { EventId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { keysToVerify } from '@causeway/matrix/signing/verify-event.ts'
import { findEvents } from '../read-events.ts'
import type { RoomInfo } from '../stored-event.ts'
import { findPolicyServer } from '../policy/find-policy.ts'
import { askAboutEvents } from '../policy/others-events.ts'
import { isOutage } from '../peers/is-outage.ts'
import type { ReceiveDeps } from './deps.ts'
import { storeOutliers } from './store-outliers.ts'
import { checkReceived, verifyPdus, type VerifiedPdu } from './verify-pdus.ts'

/** Asked for at once by `get_missing_events`; other servers answer fewer. */
const MISSING_LIMIT = 100
/** Single events asked for before the whole state is. */
const MAX_SINGLE = 100
/** Most events of a state that is taken from a stranger. */
const MAX_STATE = 200_000
/** Requests for single events under way at once. */
const PARALLEL = 10

/** Where a server is asked about an event of a room. */
export interface Inquiry {
  readonly room: RoomInfo
  readonly server: ServerName
  readonly signal: AbortSignal
}

async function verified(
  { peers }: ReceiveDeps,
  { room, signal }: Inquiry,
  pdus: readonly unknown[],
): Promise<VerifiedPdu[]> {
  const verdicts = await verifyPdus(peers, room, pdus, signal)
  return verdicts.flatMap((verdict) => (verdict.ok ? [verdict.pdu] : []))
}

/**
 * The events between what we hold and what came, as the sender has them. What does not verify is left out.
 * https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1get_missing_eventsroomid
 */
export async function fetchBetween(
  deps: ReceiveDeps,
  inquiry: Inquiry,
  gap: { readonly earliest: readonly EventId[]; readonly latest: readonly EventId[] },
): Promise<readonly VerifiedPdu[]> {
  const { room, server, signal } = inquiry
  const request = { ...gap, limit: MISSING_LIMIT, minDepth: 0 }
  const pdus = await deps.peers.getMissingEvents(server, room.roomId, request, signal)
  const found = await verified(deps, inquiry, pdus.slice(0, MISSING_LIMIT))
  if (found.length === 0) return found
  return askAboutEvents(deps.engine, room, await findPolicyServer(deps.engine, room), found, signal)
}

/** So many auth events are asked for one by one before the chain is: an event lists about as many. */
const FEW_AUTHS = 10

/**
 * Gets the auth events that an event lists, by themselves where that is enough, else with their whole chain, which is
 * as long as the room is old. Resolves with whether `wanted` are all held now.
 */
export async function fetchAuthEvents(
  deps: ReceiveDeps,
  inquiry: Inquiry,
  eventId: EventId,
  wanted: readonly EventId[],
): Promise<boolean> {
  const { room, server, signal } = inquiry
  if (wanted.length <= FEW_AUTHS) {
    await fetchSingly(deps, inquiry, wanted, () => undefined)
    if ((await notHeld(deps, wanted)).length === 0) return true
  }
  const chain = await deps.peers.getEventAuth(server, room.roomId, eventId, signal).catch(() => [])
  await storeOutliers(deps.engine, room.roomId, await verified(deps, inquiry, chain.slice(0, MAX_STATE)))
  const still = await notHeld(deps, wanted)
  if (still.length === 0) return true
  // What an event cites may be left out of the chain that its sender tells: it is asked for by itself.
  await fetchSingly(deps, inquiry, still.slice(0, MAX_SINGLE), () => undefined)
  return (await notHeld(deps, wanted)).length === 0
}

async function notHeld({ engine }: ReceiveDeps, ids: readonly EventId[]): Promise<EventId[]> {
  const held = await findEvents(engine, ids)
  return ids.filter((id) => !held.has(id))
}

/** @param onFailure is told why an event was not had; may throw */
async function fetchSingly(
  deps: ReceiveDeps,
  inquiry: Inquiry,
  ids: readonly EventId[],
  onFailure: (error: unknown) => void,
): Promise<void> {
  const found: VerifiedPdu[] = []
  for (let at = 0; at < ids.length; at += PARALLEL) {
    const answers = await Promise.all(
      ids.slice(at, at + PARALLEL).map((id) =>
        deps.peers.getEvent(inquiry.server, id, inquiry.signal).then(
          (pdu) => [pdu],
          (error: unknown) => {
            onFailure(error)
            return []
          },
        ),
      ),
    )
    found.push(...(await verified(deps, inquiry, answers.flat())))
  }
  await storeOutliers(deps.engine, inquiry.room.roomId, found)
}

/** What a server withholds is left out; what was lost on the way would be a hole that nobody ever fills. */
function throwIfOutage(error: unknown): void {
  if (isOutage(error)) throw error
}

/**
 * The state before an event as a server tells it; its events are held afterwards, as far as each stands up by itself.
 * Rejects when anything of it was lost on the way.
 * https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1state_idsroomid
 */
export async function fetchStateBefore(
  deps: ReceiveDeps,
  inquiry: Inquiry,
  eventId: EventId,
): Promise<readonly EventId[]> {
  const { room, server, signal } = inquiry
  const { pduIds, authChainIds } = await deps.peers.getStateIds(server, room.roomId, eventId, signal)
  const ids = [...new Set([...pduIds, ...authChainIds])].slice(0, MAX_STATE)
  const missing = await notHeld(deps, ids)
  if (missing.length > MAX_SINGLE) {
    const { pdus, authChain } = await deps.peers.getState(server, room.roomId, eventId, signal)
    const all = [...authChain, ...pdus].slice(0, MAX_STATE)
    await storeOutliers(deps.engine, room.roomId, await verified(deps, inquiry, all))
  } else if (missing.length > 0) {
    await fetchSingly(deps, inquiry, missing, throwIfOutage)
  }
  return pduIds
}

/**
 * The state after an event that cannot be placed: as a server tells the state before it, and the event itself.
 * Rejects when anything of it was lost on the way.
 */
export async function fetchStateAfter(
  deps: ReceiveDeps,
  inquiry: Inquiry,
  eventId: EventId,
): Promise<readonly EventId[]> {
  const stateIds = await fetchStateBefore(deps, inquiry, eventId)
  const pdu = await fetchItself(deps, inquiry, eventId)
  if (pdu?.event.pdu.state_key === undefined) return stateIds
  await storeOutliers(deps.engine, inquiry.room.roomId, [pdu])
  // Last: of two events for one key the later counts.
  return [...stateIds, eventId]
}

/** The event is there, and the keys of whoever signed it are on their way. Counts as an outage. */
class KeyAwaited extends Error {
  override readonly name = 'KeyAwaited'
  readonly failure = { kind: 'unreachable' } as const
}

/**
 * A state event that cannot be placed is part of the state after it all the same. Undefined where a server withholds it,
 * or where it does not verify. @throws KeyAwaited where it may verify within minutes: taken for a gap now, it would
 * never be asked for again, and we would go by another state than everybody else for good
 */
async function fetchItself(
  { peers }: ReceiveDeps,
  { room, server, signal }: Inquiry,
  eventId: EventId,
): Promise<VerifiedPdu | undefined> {
  const single = await peers.getEvent(server, eventId, signal).catch(throwIfOutage)
  if (single === undefined) return undefined
  const [verdict] = await verifyPdus(peers, room, [single], signal)
  if (verdict!.ok) return verdict!.pdu.event.eventId === eventId ? verdict!.pdu : undefined
  const checked = checkReceived(room, single)
  const signers = checked.ok ? keysToVerify(room.rules, checked.pdu) : []
  const awaited = signers.find(({ serverName }) => peers.isKeyAwaited(serverName))
  if (awaited !== undefined)
    throw new KeyAwaited(`The keys of ${awaited.serverName} cannot be had at the moment`)
  return undefined
}
