// https://spec.matrix.org/v1.19/client-server-api/#room-tagging
import { Type } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { tooLarge } from '@causeway/matrix/errors/matrix-error.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { editAccountData, readAccountData } from '../user-data/account-data.ts'
import { requireSelf } from './own-user.ts'
import { v3 } from './paths.ts'
import { roomIdText, userIdText } from './schemas.ts'

const TYPE = 'm.tag'
const TAGS = '/user/:userId/rooms/:roomId/tags'
const listParams = Type.Object({ userId: userIdText, roomId: roomIdText })
const tagParams = Type.Object({
  userId: userIdText,
  roomId: roomIdText,
  tag: Type.String({ minLength: 1, maxLength: 255 }),
})

/** All tags of one room, in characters of JSON. */
const MAX_CHARACTERS = 65_536

/** Account data is the client's own business, so that anything may stand where the tags should. */
function tagsIn(content: JsonObject | undefined): JsonObject {
  const tags = content?.['tags']
  return isJsonObject(tags) ? tags : {}
}

export const getRoomTags = defineEndpoint({
  operation: 'getRoomTags',
  method: 'GET',
  ...v3(TAGS),
  auth: 'user',
  rateLimit: 'read',
  params: listParams,
  run: async (hs, { session, params: { userId, roomId } }) => {
    requireSelf(session, userId)
    return { tags: tagsIn(await readAccountData(hs, { userId, roomId, type: TYPE })) }
  },
})

export const setRoomTag = defineEndpoint({
  operation: 'setRoomTag',
  method: 'PUT',
  ...v3(`${TAGS}/:tag`),
  auth: 'user',
  rateLimit: 'read',
  params: tagParams,
  body: Type.Object({ order: Type.Optional(Type.Number()) }),
  run: async (hs, { session, params: { userId, roomId, tag }, body }) => {
    requireSelf(session, userId)
    await editAccountData(hs, { userId, roomId, type: TYPE }, (content) => {
      const changed: JsonObject = { ...content, tags: { ...tagsIn(content), [tag]: body } }
      if (JSON.stringify(changed).length > MAX_CHARACTERS) throw tooLarge('This room has too many tags')
      return changed
    })
    return {}
  },
})

export const deleteRoomTag = defineEndpoint({
  operation: 'deleteRoomTag',
  method: 'DELETE',
  ...v3(`${TAGS}/:tag`),
  auth: 'user',
  rateLimit: 'read',
  params: tagParams,
  run: async (hs, { session, params: { userId, roomId, tag } }) => {
    requireSelf(session, userId)
    await editAccountData(hs, { userId, roomId, type: TYPE }, (content) => {
      const tags = tagsIn(content)
      if (!Object.hasOwn(tags, tag)) return undefined
      const { [tag]: _, ...others } = tags
      return { ...content, tags: others }
    })
    return {}
  },
})
