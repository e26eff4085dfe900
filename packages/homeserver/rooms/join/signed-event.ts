import type { JsonObject, Pdu, Signer } from '@causeway/matrix/events/pdu.ts'
import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import { spliceSignatures, type BuiltEvent } from '@causeway/matrix/events/build.ts'
import { checkFormat } from '@causeway/matrix/events/check-format.ts'
import { hasValidContentHash } from '@causeway/matrix/events/content-hash.ts'
import { signEvent } from '@causeway/matrix/signing/sign-json.ts'
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { sha256 } from '../../crypto/sha256.ts'
import type { RoomPeers } from '../peers/room-peers.ts'
import { verifyPdus, type VerifiedPdu } from '../receive/verify-pdus.ts'
import type { RoomInfo } from '../stored-event.ts'

/** An event of ours, signed by us, as it goes to another server and into the room. */
export function signBuilt(built: BuiltEvent, signer: Signer): VerifiedPdu {
  const signatures = { [signer.serverName]: { [signer.keyId]: signer.sign(built.signed) } }
  const { eventId, roomId, prevEventIds, authEventIds } = built
  const event: RoomEvent = {
    eventId,
    roomId,
    prevEventIds,
    authEventIds,
    pdu: { ...built.pdu, signatures },
  }
  return { event, json: new TextEncoder().encode(spliceSignatures(built, signatures)) }
}

/**
 * An event that another server hands us to be accepted or signed: as it was sent, with a valid hash and the
 * signatures it needs, ours added first where `sign` says so. Throws `M_INVALID_PARAM`.
 */
export async function readSignedEvent(
  peers: Pick<RoomPeers, 'loadKeys' | 'verify'>,
  room: Pick<RoomInfo, 'roomId' | 'rules'>,
  json: JsonObject,
  options: { sign?: { readonly signer: Signer; when(pdu: Pdu): boolean }; signal?: AbortSignal } = {},
): Promise<VerifiedPdu> {
  const { unsigned: _, ...bare } = json
  const format = checkFormat(room.rules, bare)
  if (!format.ok) throw invalidParam(`The event is malformed: ${format.reason}`)
  const { sign, signal } = options
  const signs = sign !== undefined && sign.when(format.pdu)
  const pdu = signs ? signEvent(room.rules, format.pdu, sign.signer) : format.pdu
  const [verdict] = await verifyPdus(peers, room, [pdu], signal)
  if (verdict?.ok !== true) throw invalidParam(`The event is not valid: ${verdict?.reason ?? 'no verdict'}`)
  // A wrong content hash leaves the redacted form: nothing to sign or accept from its own server.
  if (!hasValidContentHash(room.rules, pdu, sha256)) {
    throw invalidParam('The content of the event does not match its hash')
  }
  return verdict.pdu
}
