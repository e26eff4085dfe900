import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { POLL_RESPONSE } from '@causeway/matrix/push-rules/predefined.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'

/** Stands for "somebody, perhaps": the event has to be put before the reader's rules. */
export const ANYBODY = ''

/** Users that are named one by one; an event that mentions more is looked at when it is counted. */
const MAX_MENTIONED = 20

type Mentioning = Pick<StoredEvent, 'type' | 'sender' | 'stateKey' | 'content'>

/**
 * Users of this server whom an event highlights under the predefined push rules: from its `m.mentions`, or,
 * where it has none, by the whole user ids in its text. `ANYBODY` alone when that cannot be told from the
 * event, as for mentions of the whole room. Empty for nearly all events.
 * https://spec.matrix.org/v1.19/client-server-api/#user-and-room-mentions
 */
export function mentionsOf(event: Mentioning, serverName: string): readonly string[] {
  const { type, content, sender, stateKey } = event
  if (type === 'm.room.tombstone' && stateKey === '') return [ANYBODY]
  const mentions = content['m.mentions']
  if (mentions === undefined && typeof content['body'] !== 'string') return []
  // Rules that come before those for mentions, and say that nobody is notified.
  if (type === 'm.room.member' || isNotice(content['msgtype'])) return []
  if (mentions === undefined) return capped(namedInBody(event, serverName), sender)
  if (!isJsonObject(mentions)) return []
  if (mentions['room'] === true) return [ANYBODY]
  const named = mentions['user_ids']
  if (!Array.isArray(named)) return []
  const isOurs = (userId: unknown): userId is string =>
    typeof userId === 'string' && userId.endsWith(`:${serverName}`)
  return capped(named.filter(isOurs), sender)
}

/** Patterns of push rules ignore case. */
function isNotice(msgtype: unknown): boolean {
  return typeof msgtype === 'string' && msgtype.toLowerCase() === 'm.notice'
}

function capped(userIds: readonly string[], sender: string): readonly string[] {
  if (userIds.length === 0) return userIds
  const users = new Set(userIds)
  users.delete(sender)
  return users.size > MAX_MENTIONED ? [ANYBODY] : [...users]
}

/** Whom the predefined rule `.m.rule.contains_user_name` finds in a text. */
function namedInBody({ type, stateKey, content }: Mentioning, serverName: string): string[] {
  const body = content['body'] as string
  // Hardly any text gets beyond this line.
  if (!body.includes('@')) return []
  const lower = body.toLowerCase()
  if (!lower.includes(`:${serverName}`) || isSuppressed(type, stateKey, content)) return []
  const found: string[] = []
  // Cut at each `@`, so that a piece is one id at most; the rule wants whole words.
  const pieces = lower.split('@')
  for (let at = 1; at < pieces.length; at++) {
    const userId = idAtStart(`@${pieces[at]!}`, serverName)
    if (userId !== undefined && !/[a-z0-9_]$/.test(pieces[at - 1]!)) found.push(userId)
  }
  return found
}

/** Override rules that say nothing is notified come before the one that looks into the text. */
function isSuppressed(type: string, stateKey: string | undefined, content: JsonObject): boolean {
  if (type === 'm.reaction' || type === POLL_RESPONSE) return true
  if (type === 'm.room.server_acl' && stateKey === '') return true
  const relates = content['m.relates_to']
  return isJsonObject(relates) && relates['rel_type'] === 'm.replace'
}

function idAtStart(text: string, serverName: string): string | undefined {
  const colon = text.indexOf(':')
  if (colon === -1 || !text.startsWith(serverName, colon + 1)) return undefined
  if (!/^@[a-z0-9._=/+-]+$/.test(text.slice(0, colon))) return undefined
  const end = colon + 1 + serverName.length
  return /^[a-z0-9_]/.test(text.slice(end)) ? undefined : text.slice(0, end)
}
