// https://spec.matrix.org/v1.19/server-server-api/#typing-notifications
import { Type } from 'typebox'
import { roomIdText, userIdText } from '../../client/schemas.ts'
import { defineEdu } from './edu-handler.ts'

/** For as long as a server need not repeat it, in milliseconds: others repeat it every forty seconds or so. */
const TYPING_MS = 60_000
/** In one room; the other places are for our own users. */
const MAX_STRANGERS = 50

/** Costs no write. */
export const typing = defineEdu(
  Type.Object({ room_id: roomIdText, user_id: userIdText, typing: Type.Boolean() }),
  async ({ hs, gate, refuse }, contents) => {
    for (const { room_id: roomId, user_id: userId, typing: isTyping } of contents) {
      if ((await gate.open(roomId, userId)) === undefined) {
        refuse()
        continue
      }
      const others = hs.typing.of(roomId)?.userIds ?? []
      if (isTyping && others.length >= MAX_STRANGERS && !others.includes(userId)) refuse()
      else hs.typing.set(roomId, userId, isTyping ? TYPING_MS : 0)
    }
  },
)
