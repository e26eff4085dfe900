import { Type, type TUnsafe } from 'typebox'
import { isMediaId } from '@causeway/matrix/ids/mxc.ts'
import { parsedText } from '../http/schemas.ts'

export const mediaIdText: TUnsafe<string> = parsedText(
  'a media id of the characters A-Z a-z 0-9 _ -',
  isMediaId,
)

const wait = Type.Optional(Type.Integer({ minimum: 0 }))

/** `allow_redirect` is accepted and has nothing to decide: nobody is sent elsewhere. */
export const downloadQuery = Type.Object({
  timeout_ms: wait,
  allow_remote: Type.Optional(Type.Boolean()),
})

export const thumbnailQuery = Type.Object({
  width: Type.Integer({ minimum: 1 }),
  height: Type.Integer({ minimum: 1 }),
  method: Type.Optional(Type.Union([Type.Literal('crop'), Type.Literal('scale')])),
  animated: Type.Optional(Type.Boolean()),
  timeout_ms: wait,
  allow_remote: Type.Optional(Type.Boolean()),
})
