import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import type { RoomEngine } from '../engine.ts'
import { findEvents } from '../read-events.ts'
import type { VerifiedPdu } from '../receive/verify-pdus.ts'
import type { RoomWrite } from '../room-write.ts'
import type { RoomInfo } from '../stored-event.ts'
import { findPolicyServer, policyServerAt } from './find-policy.ts'
import { addPolicySignature, isExempt, isSignedBy, type PolicyServer } from './policy-server.ts'

/** Events that are asked about at once. */
const PARALLEL = 10

/**
 * Events of others, with the signature of the room's policy server where they lacked it and it was given: it is stored
 * with the event, so that nobody else has to ask. What is not signed afterwards says why. Outside the room's queue; one
 * server that does not answer costs its time once.
 */
export async function askAboutEvents(
  engine: RoomEngine,
  room: RoomInfo,
  server: PolicyServer | undefined,
  pdus: readonly VerifiedPdu[],
  signal?: AbortSignal,
): Promise<readonly VerifiedPdu[]> {
  if (server === undefined || pdus.length === 0) return pdus
  const unsigned = pdus.filter(({ event: { pdu } }) => !isExempt(pdu) && !isSignedBy(room.rules, pdu, server))
  const held = await findEvents(
    engine,
    unsigned.map(({ event }) => event.eventId),
  )
  const isPlaced = ({ event }: VerifiedPdu): boolean => {
    const stored = held.get(event.eventId)
    return stored !== undefined && (stored.flags & EventFlag.outlier) === 0
  }
  const asked = await askPolicyServer(
    engine,
    room,
    server,
    unsigned.filter((pdu) => !isPlaced(pdu)),
    signal,
  )
  return pdus.map((pdu) => asked.get(pdu) ?? pdu)
}

/** Asks about each of some events, held or not. What is not signed afterwards says why, and whether that was the answer. */
export async function askPolicyServer(
  engine: RoomEngine,
  room: RoomInfo,
  server: PolicyServer,
  open: readonly VerifiedPdu[],
  signal?: AbortSignal,
): Promise<Map<VerifiedPdu, VerifiedPdu>> {
  const asked = new Map<VerifiedPdu, VerifiedPdu>()
  let down: string | undefined
  for (let at = 0; at < open.length; at += PARALLEL) {
    const part = open.slice(at, at + PARALLEL)
    if (down !== undefined) {
      for (const pdu of part) asked.set(pdu, { ...pdu, notSigned: down })
      continue
    }
    const answers = await Promise.all(part.map((pdu) => askAbout(engine, room, server, pdu, signal)))
    answers.forEach((answer, index) => asked.set(part[index]!, answer.pdu))
    down = answers.find(({ isDown }) => isDown)?.pdu.notSigned
  }
  return asked
}

async function askAbout(
  { policy }: RoomEngine,
  { rules }: RoomInfo,
  server: PolicyServer,
  pdu: VerifiedPdu,
  signal: AbortSignal | undefined,
): Promise<{ readonly pdu: VerifiedPdu; readonly isDown: boolean }> {
  const unsigned = (notSigned: string, isDown = false): { pdu: VerifiedPdu; isDown: boolean } => ({
    pdu: { ...pdu, notSigned, isRefusedByPolicy: !isDown },
    isDown,
  })
  if (policy === undefined) return unsigned('it cannot be asked from here', true)
  const answer = await policy.ask(server, pdu.event.pdu, signal)
  if (answer.outcome === 'refused') return unsigned(`it refuses: ${answer.reason}`)
  if (answer.outcome === 'unreachable') return unsigned(`it cannot be asked: ${answer.reason}`, true)
  const signed = addPolicySignature(pdu.event.pdu, server, answer.signature)
  if (!isSignedBy(rules, signed, server)) {
    return unsigned('its signature is not by the key that the room names')
  }
  const json = new TextEncoder().encode(canonicalJson(signed, rules.strictCanonicalJson))
  return { pdu: { ...pdu, event: { ...pdu.event, pdu: signed }, json }, isDown: false }
}

/** The same for one event that is handed to us to be let in. Throws `M_FORBIDDEN` when it is not signed. */
export async function requirePolicy(
  engine: RoomEngine,
  room: RoomInfo,
  pdu: VerifiedPdu,
  signal?: AbortSignal,
): Promise<VerifiedPdu> {
  const [asked] = await askAboutEvents(engine, room, await findPolicyServer(engine, room), [pdu], signal)
  if (asked?.notSigned !== undefined)
    throw forbidden(`The room's policy server did not sign this event: ${asked.notSigned}`)
  return asked ?? pdu
}

/**
 * What is wrong with an event by the policy of the state before it: a reason for soft failure. Undefined where the room
 * has no policy server there, or it has signed. Inside the room's queue.
 */
export async function policyFault(
  engine: RoomEngine,
  write: RoomWrite,
  stateBefore: number,
  { event, notSigned }: VerifiedPdu,
): Promise<string | undefined> {
  if (isExempt(event.pdu)) return undefined
  const server = await policyServerAt(engine, write, stateBefore)
  if (server === undefined || isSignedBy(write.head.rules, event.pdu, server)) return undefined
  return `The room's policy server ${server.name} did not sign the event: ${notSigned ?? 'it was not asked'}`
}
