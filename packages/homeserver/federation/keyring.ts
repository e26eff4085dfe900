import type { FindVerifyKey } from '@causeway/matrix/signing/keys.ts'
import type { KeyId, ServerName } from '@causeway/matrix/ids/ids.ts'

/** Keys that somebody is about to verify signatures with. */
export interface WantedKeys {
  readonly serverName: ServerName
  readonly keyIds: readonly KeyId[]
  /**
   * The time of what was signed, in milliseconds. Keys we hold whose validity ends before are fetched anew, if
   * that was not just done.
   */
  readonly validAt: number
}

/** The public keys of every server, ours too: from memory, the database, their owners, then the notaries. */
export interface Keyring {
  /**
   * Makes sure, as far as that is possible, that these keys are at hand, and answers the look-up that
   * `verifyEvent` takes. Never throws for a key that cannot be had: that one stays unknown, and the signature
   * unverified. One request per server, whoever asks at the same time.
   */
  load(wanted: readonly WantedKeys[], signal?: AbortSignal): Promise<FindVerifyKey>
  /** Whether the server did not answer when it was asked for its keys, and that only once or twice so far. */
  isAwaited(serverName: ServerName): boolean
}
