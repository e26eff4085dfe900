import { Type } from 'typebox'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { AddressPurpose } from '@causeway/store/tables/address-sessions.ts'

/**
 * What requests for a proof have in common, whatever the medium. `next_link` is taken and not followed: what this server
 * sends leads to this server.
 */
export const sessionRequestParts = {
  client_secret: Type.String({ pattern: '^[0-9a-zA-Z.=_-]{1,255}$' }),
  send_attempt: Type.Integer({ minimum: 0 }),
  next_link: Type.Optional(Type.String()),
}

/** The refusal where the operator has set up nothing that sends such. */
export function unsupportedMedium(purpose: AddressPurpose, what: string): MatrixError {
  return new MatrixError(
    purpose === 'add' ? 'M_THREEPID_MEDIUM_NOT_SUPPORTED' : 'M_THREEPID_DENIED',
    `This server sends no ${what}`,
  )
}
