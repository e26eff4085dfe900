import type { Cache } from '@causeway/store/cache/lru.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { findUser, type UserRecord } from '@causeway/store/tables/users.ts'
import type { Appservice } from './registration.ts'
import { isUserOf, type AppserviceRegistry } from './registry.ts'

export interface AccountDeps {
  readonly db: Database
  readonly registry: AppserviceRegistry
  /** Accounts that appservices act as, by user id; kept by `Appservices`. */
  readonly users: Cache<string, UserRecord>
}

/** An account that an appservice may act as. Only what is there is remembered: a user who is not may be registered at any moment. */
export async function findAccount(
  { db, users }: Pick<AccountDeps, 'db' | 'users'>,
  userId: string,
): Promise<UserRecord | undefined> {
  const held = users.get(userId)
  if (held !== undefined) return held
  const mark = users.mark()
  const user = await findUser(db, userId)
  return user === undefined ? undefined : users.fill(userId, user, mark)
}

/**
 * The appservice that has the keys of an account, and is sent what encryption needs: it made the account. Somebody else in
 * a namespace, be they covered by it, has a client of their own. A user outside all of them costs no query.
 */
export async function findKeeper(deps: AccountDeps, userId: string): Promise<Appservice | undefined> {
  const { registry } = deps
  const mayBe = registry.list.filter((one) => one.receivesEncryption && isUserOf(registry, one, userId))
  if (mayBe.length === 0) return undefined
  const account = await findAccount(deps, userId)
  return mayBe.find(({ id }) => id === account?.appserviceId)
}
