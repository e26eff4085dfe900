import type { JsonObject, JsonValue, RoomEvent } from '../events/pdu.ts'
import { canonicalJsonWithout } from '../json/canonical.ts'
import { ALLOWED, refuse, type AuthContext, type Verdict } from './auth-state.ts'
import { isJsonObject, ownText, ownValue } from './json-reading.ts'

/**
 * How many pairs of key and signature are tried for one invite. Real invites have one or two; an event of 64 KiB
 * could hold pairs for a minute of computing.
 */
const MAX_SIGNATURE_CHECKS = 256

/**
 * Whether an invite made from an e-mail address or the like, for a target who is not banned, is covered by the
 * room's `m.room.third_party_invite`. Rules 5.4.1.2 to 5.4.1.8 of
 * https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules
 */
export function authorizeThirdPartyInvite(ctx: AuthContext, target: string): Verdict {
  const invite = ownValue(ctx.event.pdu.content, 'third_party_invite')
  const signed = isJsonObject(invite) ? ownValue(invite, 'signed') : undefined
  if (!isJsonObject(signed)) return refuse('The third-party invite is not signed.')
  const mxid = ownText(signed, 'mxid')
  const token = ownText(signed, 'token')
  if (mxid === undefined || token === undefined) {
    return refuse('The third-party invite does not name the user and the token it is for.')
  }
  if (mxid !== target) return refuse(`The third-party invite is for ${mxid} and not for ${target}.`)
  const pending = ctx.state.get('m.room.third_party_invite', token)
  if (pending === undefined) return refuse('The third-party invite is not open in this room any more.')
  if (pending.pdu.sender !== ctx.event.pdu.sender) {
    return refuse(`Only ${pending.pdu.sender}, who made the third-party invite, can turn it into an invite.`)
  }
  return findInviteKey(ctx, signed, pending) === undefined
    ? refuse('The third-party invite is not signed with a key that the room knows.')
    : ALLOWED
}

/** The public key, of those in an `m.room.third_party_invite`, with which `signed` was signed. */
export function findInviteKey(
  ctx: Pick<AuthContext, 'rules' | 'verifySignature'>,
  signed: JsonObject,
  pending: RoomEvent,
): string | undefined {
  const canonicalJson = canonicalWithoutSignatures(ctx, signed)
  if (canonicalJson === undefined) return undefined
  const publicKeys = publicKeysOf(pending)
  let checksLeft = MAX_SIGNATURE_CHECKS
  for (const signature of ed25519Signatures(signed)) {
    for (const publicKey of publicKeys) {
      if (checksLeft-- === 0) return undefined
      if (ctx.verifySignature(publicKey, canonicalJson, signature)) return publicKey
    }
  }
  return undefined
}

/** `public_key` and the keys in `public_keys`. */
function publicKeysOf(pending: RoomEvent): readonly string[] {
  const { content } = pending.pdu
  const listed = ownValue(content, 'public_keys')
  const values: (JsonValue | undefined)[] = [ownValue(content, 'public_key')]
  for (const entry of Array.isArray(listed) ? listed : []) {
    if (isJsonObject(entry)) values.push(ownValue(entry, 'public_key'))
  }
  return [...new Set(values.filter((value) => typeof value === 'string'))]
}

function canonicalWithoutSignatures(ctx: Pick<AuthContext, 'rules'>, signed: JsonObject): string | undefined {
  try {
    return canonicalJsonWithout(signed, ['signatures', 'unsigned'], ctx.rules.strictCanonicalJson)
  } catch {
    // What has no canonical form cannot have been signed.
    return undefined
  }
}

function ed25519Signatures(signed: JsonObject): readonly string[] {
  const signatures = ownValue(signed, 'signatures')
  const byEntity = isJsonObject(signatures) ? Object.values(signatures) : []
  return byEntity
    .filter((byKey) => isJsonObject(byKey))
    .flatMap((byKey) => Object.entries(byKey))
    .filter(([keyId]) => keyId.startsWith('ed25519:'))
    .map(([, signature]) => signature)
    .filter((signature) => typeof signature === 'string')
}
