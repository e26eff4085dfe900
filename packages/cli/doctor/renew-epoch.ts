import type { HomeserverConfig } from '@causeway/homeserver/config.ts'
import { loadSigningKey } from '@causeway/homeserver/crypto/signing-key.ts'
import { databaseConfigOf } from '@causeway/homeserver/open-homeserver.ts'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import { openDatabase } from '@causeway/store/db/open.ts'

/**
 * Gives the log a new epoch: tokens that clients hold from before are known as such, and their bearers get a
 * full sync instead of silence. Refused, with a sentence, while a server runs on the database.
 */
export async function renewEpoch(config: HomeserverConfig): Promise<void> {
  const key = await loadSigningKey(config.signing_key, systemRandom)
  await using db = await openDatabase(databaseConfigOf(config), {
    clock: systemClock,
    random: systemRandom,
    signer: { serverName: config.server_name, keyId: key.keyId, privateKey: key.seed },
  })
  const result = await db.commit({
    entries: [],
    steps: [{ sql: 'UPDATE log_state SET epoch = ?', params: [systemRandom.token(10)], expectRows: 1 }],
  })
  if (!result.ok) throw new Error('The database has no log: is it a backup of Causeway?')
}
