// https://spec.matrix.org/v1.19/client-server-api/#adding-account-administrative-contact-information
import { Type } from 'typebox'
import type { AddressPurpose } from '@causeway/store/tables/address-sessions.ts'
import { registrationOffer } from '../accounts/registration-policy.ts'
import { requestEmailToken } from '../email/request-token.ts'
import { defineEndpoint, type AnyEndpoint } from '../http/endpoint.ts'
import { sessionRequestParts, unsupportedMedium } from './address-requests.ts'
import { v3 } from './paths.ts'

const Body = Type.Object({ ...sessionRequestParts, email: Type.String({ maxLength: 1024 }) })

interface Where {
  readonly operation: string
  readonly path: string
  readonly purpose: AddressPurpose
}

function requestEndpoint({ operation, path, purpose }: Where): AnyEndpoint {
  return defineEndpoint({
    operation,
    method: 'POST',
    ...v3(path),
    auth: purpose === 'add' ? 'optional' : 'none',
    rateLimit: 'email',
    body: Body,
    run: async (hs, { body, session }) => {
      if (!hs.email.isThere) throw unsupportedMedium(purpose, 'e-mail')
      if (purpose === 'register') registrationOffer(hs.config)
      const { client_secret: clientSecret, email, send_attempt: sendAttempt } = body
      const userId = session?.userId ?? ''
      return { sid: await requestEmailToken(hs, { clientSecret, email, sendAttempt, purpose, userId }) }
    },
  })
}

const requests: readonly Where[] = [
  { operation: 'requestTokenTo3PIDEmail', path: '/account/3pid/email/requestToken', purpose: 'add' },
  { operation: 'requestTokenToRegisterEmail', path: '/register/email/requestToken', purpose: 'register' },
  {
    operation: 'requestTokenToResetPasswordEmail',
    path: '/account/password/email/requestToken',
    purpose: 'reset',
  },
]

/** Mails that prove an address. */
export const emailTokenRoutes: readonly AnyEndpoint[] = requests.map(requestEndpoint)
