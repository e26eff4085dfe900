// https://spec.matrix.org/v1.19/client-server-api/#adding-account-administrative-contact-information
import { Type } from 'typebox'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { AddressPurpose } from '@causeway/store/tables/address-sessions.ts'
import { registrationOffer } from '../accounts/registration-policy.ts'
import { requestEmailToken } from '../email/request-token.ts'
import { defineEndpoint, type AnyEndpoint } from '../http/endpoint.ts'
import { v3 } from './paths.ts'

/** `next_link` is taken and not followed: a link in a mail of this server leads to this server. */
const Body = Type.Object({
  client_secret: Type.String({ pattern: '^[0-9a-zA-Z.=_-]{1,255}$' }),
  email: Type.String({ maxLength: 1024 }),
  send_attempt: Type.Integer({ minimum: 0 }),
  next_link: Type.Optional(Type.String()),
})

function unsupported(purpose: AddressPurpose, what: string): MatrixError {
  return new MatrixError(
    purpose === 'add' ? 'M_THREEPID_MEDIUM_NOT_SUPPORTED' : 'M_THREEPID_DENIED',
    `This server sends no ${what}`,
  )
}

interface Where {
  readonly operation: string
  readonly path: string
  readonly purpose: AddressPurpose
}

function emailEndpoint({ operation, path, purpose }: Where): AnyEndpoint {
  return defineEndpoint({
    operation,
    method: 'POST',
    ...v3(path),
    auth: purpose === 'add' ? 'optional' : 'none',
    rateLimit: 'email',
    body: Body,
    run: async (hs, { body, session }) => {
      if (!hs.email.isThere) throw unsupported(purpose, 'e-mail')
      if (purpose === 'register') registrationOffer(hs.config)
      const { client_secret: clientSecret, email, send_attempt: sendAttempt } = body
      const userId = session?.userId ?? ''
      return { sid: await requestEmailToken(hs, { clientSecret, email, sendAttempt, purpose, userId }) }
    },
  })
}

/** Nobody can be called from here. */
function phoneEndpoint({ operation, path, purpose }: Where): AnyEndpoint {
  return defineEndpoint({
    operation,
    method: 'POST',
    ...v3(path),
    auth: 'none',
    rateLimit: 'email',
    run: () => Promise.reject(unsupported(purpose, 'text messages')),
  })
}

const ADD: AddressPurpose = 'add'
const emails: readonly Where[] = [
  { operation: 'requestTokenTo3PIDEmail', path: '/account/3pid/email/requestToken', purpose: ADD },
  { operation: 'requestTokenToRegisterEmail', path: '/register/email/requestToken', purpose: 'register' },
  {
    operation: 'requestTokenToResetPasswordEmail',
    path: '/account/password/email/requestToken',
    purpose: 'reset',
  },
]
const phones: readonly Where[] = [
  { operation: 'requestTokenTo3PIDMSISDN', path: '/account/3pid/msisdn/requestToken', purpose: ADD },
  { operation: 'requestTokenToRegisterMSISDN', path: '/register/msisdn/requestToken', purpose: 'register' },
  {
    operation: 'requestTokenToResetPasswordMSISDN',
    path: '/account/password/msisdn/requestToken',
    purpose: 'reset',
  },
]

/** Mails that prove an address. */
export const emailTokenRoutes: readonly AnyEndpoint[] = [
  ...emails.map(emailEndpoint),
  ...phones.map(phoneEndpoint),
]
