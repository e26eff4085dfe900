import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { KeyId, ServerName } from '@causeway/matrix/ids/ids.ts'
import type { VerifyKey } from '@causeway/matrix/signing/keys.ts'
import { signJson } from '@causeway/matrix/signing/sign-json.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import type { KeyFile } from '../../crypto/key-file.ts'
import { createSigner, publicKeyOf } from '../../crypto/signing-key.ts'
import type { OldSigningKeys } from '../../federation-options.ts'

/** How long others may rely on what we publish: after a rotation some still trust the old key for so long. */
const PUBLISHED_FOR_MS = 24 * 60 * 60_000

/** The keys of this server, those of before too. */
export interface OwnKeys {
  find(keyId: KeyId): VerifyKey | undefined
  /** The document that other servers get, signed by every current key. */
  document(): JsonObject
}

export function createOwnKeys(
  serverName: ServerName,
  { keys, old }: KeyFile,
  configured: OldSigningKeys,
  clock: Pick<Clock, 'now'>,
): OwnKeys {
  const signers = keys.map((key) => createSigner(serverName, key))
  const current = new Map(keys.map((key) => [key.keyId, publicKeyOf(key)]))
  const former = new Map<KeyId, { key: string; expired_ts: number }>()
  for (const [keyId, { key, expired_ts }] of Object.entries(configured)) {
    former.set(keyId as KeyId, { key: key.replaceAll('=', ''), expired_ts })
  }
  for (const { keyId, publicKey, expiredTs } of old) {
    former.set(keyId, { key: publicKey, expired_ts: expiredTs ?? clock.now() })
  }
  for (const keyId of current.keys()) former.delete(keyId)
  return {
    find(keyId) {
      const publicKey = current.get(keyId)
      if (publicKey !== undefined) return { publicKey, validUntilTs: Number.MAX_SAFE_INTEGER }
      const retired = former.get(keyId)
      return retired === undefined
        ? undefined
        : { publicKey: retired.key, validUntilTs: retired.expired_ts, expiredTs: retired.expired_ts }
    },
    document() {
      const unsigned: JsonObject = {
        server_name: serverName,
        valid_until_ts: clock.now() + PUBLISHED_FOR_MS,
        verify_keys: Object.fromEntries([...current].map(([keyId, key]) => [keyId, { key }])),
        old_verify_keys: Object.fromEntries(former),
      }
      return signers.reduce<JsonObject>((document, signer) => signJson(document, signer), unsigned)
    },
  }
}
