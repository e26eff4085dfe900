import { Type } from 'typebox'
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { formatUserId, parseUserId, serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { Homeserver } from '../homeserver.ts'

/** The word of a command that names an account. */
export const userOption = Type.String({ description: 'An account here: alice or @alice:example.org' })

/** Reads `alice` or `@alice:here`. Throws M_INVALID_PARAM for what is no name or belongs to another server. */
export function readLocalUser({ serverName }: Pick<Homeserver, 'serverName'>, text: string): UserId {
  const userId = text.startsWith('@') ? parseUserId(text) : formatUserId(text, serverName)
  if (userId === undefined) throw invalidParam(`"${text}" is no user id`)
  if (serverNameOf(userId) !== serverName) throw invalidParam(`${text} has no account on ${serverName}`)
  return userId
}
