import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { findBridgeAccount, setBridgeAccount } from '@causeway/store/tables/bridge-accounts.ts'
import type { Account } from './network.ts'
import { seal, unseal } from './seal.ts'

export interface AccountDeps {
  readonly db: Database
  readonly clock: Clock
  readonly random: Random
  readonly sealKey: Uint8Array
}

/** Whose account, and where. */
export interface AccountKey {
  readonly network: string
  readonly server: string
  readonly userId: string
}

const contextOf = ({ network, server, userId }: AccountKey): string => `${network} ${server} ${userId}`

/** How somebody wants to appear on a server; undefined where they never said. */
export async function findAccount(
  { db, sealKey }: Pick<AccountDeps, 'db' | 'sealKey'>,
  key: AccountKey,
): Promise<Account | undefined> {
  const row = await findBridgeAccount(db, key.network, key.server, key.userId)
  if (row === undefined) return undefined
  const opened = row.secret.length === 0 ? undefined : unseal(sealKey, row.secret, contextOf(key))
  if (opened === undefined) return { nick: row.nick }
  return { nick: row.nick, credentials: JSON.parse(opened) as NonNullable<Account['credentials']> }
}

/** Remembers it, credentials sealed. */
export async function saveAccount(deps: AccountDeps, key: AccountKey, account: Account): Promise<void> {
  const { credentials, nick } = account
  const secret =
    credentials === undefined
      ? new Uint8Array()
      : seal(deps.sealKey, deps.random, JSON.stringify(credentials), contextOf(key))
  const step = setBridgeAccount({ ...key, nick, secret, updatedTs: deps.clock.now() })
  await deps.db.commit({ entries: [], steps: [step] })
}
