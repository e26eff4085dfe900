// https://github.com/matrix-org/matrix-spec-proposals/pull/4354
import { Type } from 'typebox'
import { MAX_STICKY_MS } from '@causeway/matrix/events/sticky.ts'

const NAME = 'org.matrix.msc4354.sticky_duration_ms'

/** For how long an event is to be delivered reliably. */
export const stickyQuery = Type.Object({
  [NAME]: Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_STICKY_MS })),
})

export function stickyOf(query: { readonly [NAME]?: number }): { stickyMs?: number } {
  const stickyMs = query[NAME]
  return stickyMs === undefined ? {} : { stickyMs }
}
