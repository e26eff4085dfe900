import { limitExceeded } from '@causeway/matrix/errors/matrix-error.ts'
import {
  findSessionOfClient,
  forgetExpiredAddressSessions,
  setAddressSession,
  type AddressPurpose,
} from '@causeway/store/tables/address-sessions.ts'
import { findThreepidUser } from '@causeway/store/tables/threepids.ts'
import { sha256 } from '../crypto/sha256.ts'
import type { Homeserver } from '../homeserver.ts'
import type { ThirdPartyAddress } from './third-party-address.ts'

/** A client wants somebody to prove that an address is theirs. */
export interface SessionRequest extends ThirdPartyAddress {
  readonly clientSecret: string
  readonly sendAttempt: number
  readonly purpose: AddressPurpose
  /** Who adds the address; empty where nobody is logged in. */
  readonly userId: string
}

/** What is sent to the address. */
export interface Proof {
  /** What has to come back. */
  readonly secret: string
  /** How long it is good, and what it confirmed. */
  readonly lifetimeMs: number
  /** Whether the address may be sent something again, which is counted. */
  takeTurn(): boolean
}

/**
 * What the address is to be sent: the proof; that it belongs to an account already, which only its owner learns; or
 * nothing, where a password is to be reset for an address that nobody has.
 */
export type Sending =
  | { readonly kind: 'proof'; readonly userId: string }
  | { readonly kind: 'has_account'; readonly userId: string }
  | { readonly kind: 'nothing' }

/** A session, and what is to be sent for it; undefined where a client asked again for the same. */
export interface BegunSession {
  readonly sid: string
  readonly sending: Sending | undefined
}

/** After this time it is worth trying again. */
export const RETRY_MS = 60_000

/**
 * Begins a session, unless the client asks again for the same one. Whether an address is somebody's is told to nobody but
 * who receives what is sent there: the caller must not let it be seen from its answer either. Throws `M_LIMIT_EXCEEDED`.
 */
export async function beginSession(
  hs: Pick<Homeserver, 'db' | 'clock' | 'random'>,
  request: SessionRequest,
  proof: Proof,
): Promise<BegunSession> {
  const { medium, address, clientSecret, purpose, userId, sendAttempt } = request
  const owner = await findThreepidUser(hs.db, request)
  const now = hs.clock.now()
  const key = { medium, address, client_secret: clientSecret, purpose }
  const earlier = await findSessionOfClient(hs.db, key, now)
  const isAgain = earlier !== undefined && earlier.user_id === userId
  if (isAgain && sendAttempt <= earlier.send_attempt) return { sid: earlier.sid, sending: undefined }
  if (!proof.takeTurn()) throw limitExceeded(RETRY_MS)
  const session = {
    ...key,
    sid: isAgain ? earlier.sid : hs.random.token(24),
    user_id: userId,
    send_attempt: sendAttempt,
    token_hash: sha256(proof.secret),
    guesses: 0,
    expires_ts: now + proof.lifetimeMs,
    validated_ts: 0,
  }
  await hs.db.commit({ entries: [], steps: [forgetExpiredAddressSessions(now), setAddressSession(session)] })
  return { sid: session.sid, sending: sendingOf(request, owner) }
}

function sendingOf({ purpose, userId }: SessionRequest, owner: string | undefined): Sending {
  if (purpose === 'reset') return owner === undefined ? { kind: 'nothing' } : { kind: 'proof', userId: owner }
  return owner === undefined ? { kind: 'proof', userId } : { kind: 'has_account', userId: owner }
}
