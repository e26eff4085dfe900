import type { RoomAlias, UserId } from '@causeway/matrix/ids/ids.ts'
import { findAlias } from '@causeway/store/tables/aliases.ts'
import { findUser } from '@causeway/store/tables/users.ts'
import type { Homeserver } from '../homeserver.ts'
import type { AppserviceClient } from './outbound.ts'
import { isInNamespace, isOwnUser } from './registry.ts'

type Deps = Pick<Homeserver, 'appservices' | 'db' | 'logger'>

/** Asks the appservices in whose namespace an id is, one after another, until one says that it exists now. */
async function ask(
  { appservices, logger }: Deps,
  kind: 'users' | 'aliases',
  id: string,
  question: (client: AppserviceClient) => Promise<boolean>,
): Promise<boolean> {
  for (const appservice of appservices.registry.list) {
    if (!isInNamespace(appservice, kind, id)) continue
    const client = appservices.client(appservice.id)
    if (client === undefined) continue
    try {
      if (await question(client)) return true
    } catch (error) {
      logger.warn('an appservice could not be asked', { appservice: appservice.id, id, error })
    }
  }
  return false
}

/**
 * The room behind an alias that nobody has claimed, if an appservice makes one for it now. May take as long as
 * the appservice does: not inside a room's queue.
 * https://spec.matrix.org/v1.19/application-service-api/#get_matrixappv1roomsroomalias
 */
export async function findAliasThroughAppservice(hs: Deps, alias: RoomAlias): Promise<string | undefined> {
  if (!(await ask(hs, 'aliases', alias, (client) => client.queryAlias(alias)))) return undefined
  return (await findAlias(hs.db, alias))?.roomId
}

/**
 * Lets an appservice make a user of this server that somebody wants to reach and that does not exist yet; a user
 * outside all namespaces costs no query.
 * https://spec.matrix.org/v1.19/application-service-api/#get_matrixappv1usersuserid
 */
export async function ensureUserThroughAppservice(hs: Deps, userId: UserId): Promise<void> {
  const { registry } = hs.appservices
  if (!isOwnUser(registry, userId)) return
  if (!registry.list.some((one) => isInNamespace(one, 'users', userId))) return
  if ((await findUser(hs.db, userId)) !== undefined) return
  await ask(hs, 'users', userId, (client) => client.queryUser(userId))
}
