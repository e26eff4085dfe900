import { MatrixError, invalidParam } from '@causeway/matrix/errors/matrix-error.ts'

/** https://spec.matrix.org/v1.19/appendices/#common-namespaced-identifier-grammar, and at least one dot */
const NAMESPACED = /^[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)+$/
const MAX_BYTES = 255

/** The fields that membership events show. */
export type ShownField = 'displayname' | 'avatar_url'

/** Characters: what goes into a membership event of each room has to stay small. */
export const MAX_LENGTH = { displayname: 256, avatar_url: 1_000 } as const satisfies Record<
  ShownField,
  number
>

export function isShownField(field: string): field is ShownField {
  return field === 'displayname' || field === 'avatar_url'
}

/** Throws `M_KEY_TOO_LARGE`, or `M_INVALID_PARAM` for a name that no field may have. */
export function requireFieldName(field: string): void {
  if (Buffer.byteLength(field) > MAX_BYTES) {
    throw new MatrixError('M_KEY_TOO_LARGE', `The name of a profile field has at most ${MAX_BYTES} bytes`)
  }
  if (isShownField(field) || NAMESPACED.test(field)) return
  throw invalidParam(
    'A profile field is displayname, avatar_url, m.tz, or has a name such as org.example.pronouns',
  )
}
