import { spliceSignatures, type BuiltEvent } from '@causeway/matrix/events/build.ts'
import type { Pdu, RoomEvent } from '@causeway/matrix/events/pdu.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { MatrixError, forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import type { RoomEngine } from '../engine.ts'
import type { Extremity } from '../head.ts'
import type { EventDraft, RoomWrite } from '../room-write.ts'
import { policyServerBefore } from './find-policy.ts'
import { addPolicySignature, isExempt, isSignedBy, type PolicyServer } from './policy-server.ts'

/** An event of ours as it was built, with the place in the graph that it names. */
export interface MadeEvent {
  readonly draft: EventDraft
  readonly built: BuiltEvent
  readonly parents: readonly Extremity[]
}

/** The same with every signature it needs: it can be written whenever its room's queue is free again. */
export interface PreparedEvent extends MadeEvent {
  readonly roomEvent: RoomEvent
  /** As it is stored. */
  readonly json: Uint8Array
}

/** Events of a write that the room's policy server has to sign first. */
export interface Unsigned {
  readonly rules: RoomVersionRules
  readonly server: PolicyServer
  readonly made: readonly MadeEvent[]
}

/** What has to be signed before this write may be stored; undefined where nothing has to. Inside the room's queue. */
export async function findUnsigned(engine: RoomEngine, write: RoomWrite): Promise<Unsigned | undefined> {
  const server = await policyServerBefore(engine, write)
  if (server === undefined) return undefined
  const { rules } = write.head
  const isReady = ({ stored: { eventId } }: RoomWrite['events'][number]): boolean => {
    const prepared = write.prepared.find((one) => one.built.eventId === eventId)
    return prepared !== undefined && isSignedBy(rules, prepared.roomEvent.pdu, server)
  }
  const needs = write.events.filter((event) => event.place === 'log' && !isExempt(event.roomEvent.pdu))
  if (needs.every(isReady)) return undefined
  return { rules, server, made: write.made }
}

/**
 * Has events of ours signed by the room's policy server, one after the other. Outside the room's queue.
 * Throws `M_FORBIDDEN` with what the server says; 502 when it cannot be asked: until it can, or the room has another
 * one or none, nothing is sent. https://spec.matrix.org/v1.19/server-server-api/#policy-servers
 */
export async function prepareEvents(
  { policy }: RoomEngine,
  { rules, server, made }: Unsigned,
): Promise<PreparedEvent[]> {
  if (policy === undefined) throw forbidden('This room has a policy server, which cannot be asked from here')
  const prepared: PreparedEvent[] = []
  for (const one of made) {
    const { signer } = policy
    const signatures = { [signer.serverName]: { [signer.keyId]: signer.sign(one.built.signed) } }
    const own: Pdu = { ...one.built.pdu, signatures }
    const pdu = isExempt(own)
      ? own
      : addPolicySignature(own, server, await askFor(policy, rules, server, own))
    const json = new TextEncoder().encode(spliceSignatures(one.built, pdu.signatures))
    const { eventId, roomId, prevEventIds, authEventIds } = one.built
    prepared.push({ ...one, roomEvent: { eventId, roomId, prevEventIds, authEventIds, pdu }, json })
  }
  return prepared
}

async function askFor(
  policy: NonNullable<RoomEngine['policy']>,
  rules: RoomVersionRules,
  server: PolicyServer,
  pdu: Pdu,
): Promise<string> {
  const answer = await policy.ask(server, pdu)
  if (answer.outcome === 'refused')
    throw forbidden(`The room's policy server ${server.name} refuses: ${answer.reason}`)
  if (answer.outcome === 'unreachable') throw unreachable(server, answer.reason)
  if (isSignedBy(rules, addPolicySignature(pdu, server, answer.signature), server)) return answer.signature
  throw unreachable(server, 'its signature is not by the key that the room names')
}

function unreachable({ name }: PolicyServer, reason: string): MatrixError {
  const text = `The room's policy server ${name} cannot be asked at the moment (${reason}); try again later`
  return new MatrixError('M_UNKNOWN', text, { status: 502 })
}

/** The prepared event that a draft stands for: the same words by the same sender, next in order. */
export function takePrepared(write: RoomWrite, draft: EventDraft): PreparedEvent | undefined {
  const next = write.prepared[write.made.length]
  return next !== undefined && sameDraft(next.draft, draft) ? next : undefined
}

function sameDraft(a: EventDraft, b: EventDraft): boolean {
  if (a.type !== b.type || a.sender !== b.sender || a.stateKey !== b.stateKey || a.redacts !== b.redacts)
    return false
  if (a.stickyMs !== b.stickyMs) return false
  return canonicalJson(a.content, false) === canonicalJson(b.content, false)
}
