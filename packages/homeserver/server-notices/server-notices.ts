import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { formatUserId } from '@causeway/matrix/ids/user-id.ts'
import { createKeyedQueue, type KeyedQueue } from '@causeway/store/cache/keyed-queue.ts'
import type { HomeserverConfig } from '../config.ts'

/** What the server itself has to say to its users. https://spec.matrix.org/v1.19/client-server-api/#server-notices */
export interface ServerNotices {
  /** Who says it. Has an account once the first notice was sent. */
  readonly userId: UserId
  /** One at a time to each user, or there might be two rooms. */
  readonly queue: KeyedQueue<UserId>
}

/** Throws an Error with a sentence for the operator when nobody can be called so. */
export function createServerNotices(
  { server_notices: { localpart } }: Pick<HomeserverConfig, 'server_notices'>,
  serverName: ServerName,
): ServerNotices {
  const userId = formatUserId(localpart, serverName)
  if (userId === undefined) throw new Error(`server_notices.localpart: "${localpart}" is no user name`)
  return { userId, queue: createKeyedQueue() }
}
