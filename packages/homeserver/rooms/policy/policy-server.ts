import type { JsonObject, Pdu } from '@causeway/matrix/events/pdu.ts'
import { signedText } from '@causeway/matrix/events/reference-hash.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { parseServerName } from '@causeway/matrix/ids/server-name.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import { decodeBase64 } from '@causeway/matrix/signing/base64.ts'
import { verifySignature } from '../../crypto/verify.ts'

/** A server that a room has chosen to look at its events before others see them. */
export interface PolicyServer {
  readonly name: ServerName
  /** With which it signs what it recommends; unpadded base64. No key that it publishes elsewhere. */
  readonly publicKey: string
}

export const POLICY_TYPE = 'm.room.policy'
/** https://spec.matrix.org/v1.19/server-server-api/#post_matrixpolicyv1sign */
export const POLICY_KEY_ID = 'ed25519:policy_server'
const KEY_BYTES = 32

/** Whom an `m.room.policy` event names; undefined when it is not valid, and then the room has none. */
export function readPolicyServer(content: JsonObject | undefined): PolicyServer | undefined {
  const { via, public_keys: keys } = content ?? {}
  const name = typeof via === 'string' ? parseServerName(via) : undefined
  const publicKey = isJsonObject(keys) && Object.hasOwn(keys, 'ed25519') ? keys['ed25519'] : undefined
  if (name === undefined || typeof publicKey !== 'string') return undefined
  return decodeBase64(publicKey)?.length === KEY_BYTES ? { name, publicKey } : undefined
}

/** The event by which a room chooses its policy server, or gets rid of it: nobody is asked about that. */
export function isExempt({ type, state_key: stateKey }: Pick<Pdu, 'type' | 'state_key'>): boolean {
  return type === POLICY_TYPE && stateKey === ''
}

/** Whether the event bears the signature of the policy server, by the key that the room names. */
export function isSignedBy(rules: RoomVersionRules, pdu: Pdu, { name, publicKey }: PolicyServer): boolean {
  const signature = Object.hasOwn(pdu.signatures, name) ? pdu.signatures[name]?.[POLICY_KEY_ID] : undefined
  if (typeof signature !== 'string') return false
  return verifySignature(publicKey, signedText(rules, pdu), signature)
}

/** The event with one signature more; those that it has stay, also others of the same server. */
export function addPolicySignature(pdu: Pdu, { name }: PolicyServer, signature: string): Pdu {
  const own = Object.hasOwn(pdu.signatures, name) ? pdu.signatures[name] : {}
  return { ...pdu, signatures: { ...pdu.signatures, [name]: { ...own, [POLICY_KEY_ID]: signature } } }
}
