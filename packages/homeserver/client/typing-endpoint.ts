// https://spec.matrix.org/v1.19/client-server-api/#typing-notifications
import { Type } from 'typebox'
import { defineEndpoint } from '../http/endpoint.ts'
import { requireJoined, requireSelf } from './own-user.ts'
import { v3 } from './paths.ts'
import { roomIdText, userIdText } from './schemas.ts'

/** How long somebody types who does not say how long, in milliseconds. */
const DEFAULT_MS = 30_000

export const setTyping = defineEndpoint({
  operation: 'setTyping',
  method: 'PUT',
  ...v3('/rooms/:roomId/typing/:userId'),
  auth: 'user',
  rateLimit: 'read',
  params: Type.Object({ roomId: roomIdText, userId: userIdText }),
  body: Type.Object({ typing: Type.Boolean(), timeout: Type.Optional(Type.Integer({ minimum: 0 })) }),
  run: async (hs, { session, params: { roomId, userId }, body }) => {
    requireSelf(session, userId)
    await requireJoined(hs, session, roomId)
    hs.presence.noteActive(userId)
    if (session.isShadowBanned !== true)
      hs.typing.set(roomId, userId, body.typing ? (body.timeout ?? DEFAULT_MS) : 0)
    return {}
  },
})
