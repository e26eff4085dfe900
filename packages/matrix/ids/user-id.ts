import { hasCommonFormat } from './common-format.ts'
import type { ServerName, UserId } from './ids.ts'

const LOCALPART = /^[a-z0-9._=/+-]+$/
const VISIBLE_ASCII = /^[!-~]+$/

/**
 * A user id, or undefined. Accepts the historical grammar (any code point but `:` and NUL, even an empty
 * localpart), which events of other servers may use for ever.
 * https://spec.matrix.org/v1.19/appendices/#historical-user-ids
 */
export function parseUserId(text: string): UserId | undefined {
  return isUserId(text) ? text : undefined
}

/** As `parseUserId`, as a type guard for values of any type. */
export function isUserId(value: unknown): value is UserId {
  return typeof value === 'string' && hasCommonFormat(value, '@', true)
}

/**
 * A user id by the grammar for new users: `a-z`, `0-9` and `._=-/+`. The only one under which accounts are made
 * here. https://spec.matrix.org/v1.19/appendices/#user-identifiers
 */
export function parseStrictUserId(text: string): UserId | undefined {
  return isUserId(text) && isStrictLocalpart(localpartOf(text)) ? text : undefined
}

/** Whether a localpart may be given to a new user; the length counts only once the server name is added. */
export function isStrictLocalpart(localpart: string): boolean {
  return LOCALPART.test(localpart)
}

/**
 * Whether a user id may be shown to clients outside of an event: localparts that are empty or leave U+0021 to
 * U+007E are accepted in events and forwarded nowhere else.
 */
export function isCompliantUserId(userId: UserId): boolean {
  return VISIBLE_ASCII.test(localpartOf(userId))
}

/** The id of a new user, or undefined when the localpart is not allowed or the whole is over 255 bytes. */
export function formatUserId(localpart: string, serverName: ServerName): UserId | undefined {
  return parseStrictUserId(`@${localpart}:${serverName}`)
}

/** The part before the colon, without `@`. */
export function localpartOf(userId: UserId): string {
  return userId.slice(1, userId.indexOf(':'))
}

/** The server a user belongs to. */
export function serverNameOf(userId: UserId): ServerName {
  return userId.slice(userId.indexOf(':') + 1) as ServerName
}
