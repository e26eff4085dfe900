import type { JsonObject, Pdu, Signatures } from '@causeway/matrix/events/pdu.ts'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { AnswerRefused } from '../../rooms/join/check-answer.ts'
import { verifyPdus, type VerifiedPdu } from '../../rooms/receive/verify-pdus.ts'
import type { JoiningDeps } from './joining-deps.ts'

/**
 * Our event with the signatures that another server added to it: nothing else of what it sends back is taken. The
 * result bears every signature that the room's rules ask for. Throws `AnswerRefused` where one is missing or false.
 */
export async function countersigned(
  { federation }: Pick<JoiningDeps, 'federation'>,
  room: { readonly roomId: RoomId; readonly rules: RoomVersionRules },
  own: VerifiedPdu,
  answered: JsonObject | undefined,
  signal?: AbortSignal,
): Promise<VerifiedPdu> {
  const pdu: Pdu = { ...own.event.pdu, signatures: merge(own.event.pdu.signatures, answered?.['signatures']) }
  const [verdict] = await verifyPdus(federation.peers, room, [pdu], signal)
  if (verdict?.ok !== true) {
    throw new AnswerRefused(`our event comes back without the signatures it needs: ${verdict?.reason ?? ''}`)
  }
  const json = new TextEncoder().encode(canonicalJson(pdu, room.rules.strictCanonicalJson))
  return { event: { ...own.event, pdu }, json }
}

/** Those of other servers; ours stay as we made them. */
function merge(own: Signatures, others: unknown): Signatures {
  if (!isJsonObject(others)) return own
  const merged: Signatures = {}
  for (const [entity, keys] of Object.entries(others).slice(0, MAX_SIGNERS)) {
    if (!isJsonObject(keys)) continue
    const texts = Object.entries(keys).filter((pair): pair is [string, string] => typeof pair[1] === 'string')
    merged[entity] = Object.fromEntries(texts.slice(0, MAX_SIGNERS))
  }
  return { ...merged, ...own }
}

const MAX_SIGNERS = 10
