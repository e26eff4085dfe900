import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'

/** Stands for "somebody, perhaps": the event has to be put before the reader's rules. */
export const ANYBODY = ''

/** Users that are named one by one; an event that mentions more is looked at when it is counted. */
const MAX_MENTIONED = 20

/**
 * Users of this server whom an event highlights under the predefined push rules: from its `m.mentions`, never
 * from its text. `ANYBODY` alone when that cannot be told from the event, as for mentions of the whole room.
 * Empty for nearly all events. https://spec.matrix.org/v1.19/client-server-api/#user-and-room-mentions
 */
export function mentionsOf(
  event: Pick<StoredEvent, 'type' | 'sender' | 'stateKey' | 'content'>,
  serverName: string,
): readonly string[] {
  const { type, content, sender, stateKey } = event
  if (type === 'm.room.tombstone' && stateKey === '') return [ANYBODY]
  const mentions = content['m.mentions']
  if (!isJsonObject(mentions)) return []
  // Rules that come before the one for mentions, and say that nobody is notified.
  if (type === 'm.room.member' || isNotice(content['msgtype'])) return []
  if (mentions['room'] === true) return [ANYBODY]
  const named = mentions['user_ids']
  if (!Array.isArray(named)) return []
  const users = new Set<string>()
  for (const userId of named) {
    if (typeof userId === 'string' && userId !== sender && userId.endsWith(`:${serverName}`))
      users.add(userId)
  }
  return users.size > MAX_MENTIONED ? [ANYBODY] : [...users]
}

/** Patterns of push rules ignore case. */
function isNotice(msgtype: unknown): boolean {
  return typeof msgtype === 'string' && msgtype.toLowerCase() === 'm.notice'
}
