// https://spec.matrix.org/v1.19/client-server-api/#user-directory
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import type { FoundUser } from '@causeway/store/tables/search-users.ts'
import { v3 } from './paths.ts'

const DEFAULT_LIMIT = 10
const MAX_LIMIT = 100
const MAX_TERM = 1_000

function resultOf({ userId, displayName, avatarUrl }: FoundUser): JsonObject {
  return {
    user_id: userId,
    ...(displayName === '' ? {} : { display_name: displayName }),
    ...(avatarUrl === '' ? {} : { avatar_url: avatarUrl }),
  }
}

/** The order is ours: languages differ in it, and people look for the best match and not for a letter. */
export const searchUserDirectory = defineEndpoint({
  operation: 'searchUserDirectory',
  method: 'POST',
  ...v3('/user_directory/search'),
  auth: 'user',
  rateLimit: 'read',
  body: Type.Object({
    search_term: Type.String({ maxLength: MAX_TERM }),
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  run: async (hs, { session, body }) => {
    const limit = Math.min(body.limit ?? DEFAULT_LIMIT, MAX_LIMIT)
    const { results, limited } = await hs.userDirectory.search(session.userId, body.search_term, limit)
    return { results: results.map(resultOf), limited }
  },
})
