import { Type, type Static, type TObject, type TSchema } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { AddressPurpose } from '@causeway/store/tables/address-sessions.ts'
import { registrationOffer } from '../accounts/registration-policy.ts'
import type { SessionRequest } from '../addresses/begin-session.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, type AnyEndpoint } from '../http/endpoint.ts'
import { v3 } from './paths.ts'

/**
 * What requests for a proof have in common, whatever the medium. `next_link` is taken and not followed: what this server
 * sends leads to this server.
 */
export const sessionRequestParts = {
  client_secret: Type.String({ pattern: '^[0-9a-zA-Z.=_-]{1,255}$' }),
  send_attempt: Type.Integer({ minimum: 0 }),
  next_link: Type.Optional(Type.String()),
}

type SessionBody = TObject<typeof sessionRequestParts>

/** How proofs of one medium are asked for and sent. */
interface MediumRequests<B extends TSchema> {
  /** As in the paths, and at the end of the operations' ids. */
  readonly medium: 'email' | 'msisdn'
  readonly id: 'Email' | 'MSISDN'
  /** What is sent, for the refusal where the operator has set up nothing that sends it. */
  readonly what: string
  readonly rateLimit: 'email' | 'sms'
  readonly body: B
  readonly isThere: (hs: Homeserver) => boolean
  readonly send: (
    hs: Homeserver,
    request: Omit<SessionRequest, 'medium' | 'address'>,
    body: Static<B>,
  ) => Promise<JsonObject>
}

const PURPOSES = [
  { purpose: 'add', operation: 'requestTokenTo3PID', path: '/account/3pid' },
  { purpose: 'register', operation: 'requestTokenToRegister', path: '/register' },
  { purpose: 'reset', operation: 'requestTokenToResetPassword', path: '/account/password' },
] as const

function unsupportedMedium(purpose: AddressPurpose, what: string): MatrixError {
  return new MatrixError(
    purpose === 'add' ? 'M_THREEPID_MEDIUM_NOT_SUPPORTED' : 'M_THREEPID_DENIED',
    `This server sends no ${what}`,
  )
}

/** The three operations that have a proof sent. */
export function requestTokenEndpoints<B extends TSchema>(of: MediumRequests<B>): AnyEndpoint[] {
  return PURPOSES.map(({ purpose, operation, path }) =>
    defineEndpoint({
      operation: operation + of.id,
      method: 'POST',
      ...v3(`${path}/${of.medium}/requestToken`),
      auth: purpose === 'add' ? 'optional' : 'none',
      rateLimit: of.rateLimit,
      body: of.body,
      run: (hs, { body, session }) => {
        if (!of.isThere(hs)) throw unsupportedMedium(purpose, of.what)
        if (purpose === 'register') registrationOffer(hs.config)
        const { client_secret: clientSecret, send_attempt: sendAttempt } = body as Static<SessionBody>
        const request = { clientSecret, sendAttempt, purpose, userId: session?.userId ?? '' }
        return of.send(hs, request, body as Static<B>)
      },
    }),
  )
}
