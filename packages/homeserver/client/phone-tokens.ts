// https://spec.matrix.org/v1.19/client-server-api/#adding-account-administrative-contact-information
import { Type } from 'typebox'
import type { AddressPurpose } from '@causeway/store/tables/address-sessions.ts'
import { registrationOffer } from '../accounts/registration-policy.ts'
import { defineEndpoint, type AnyEndpoint } from '../http/endpoint.ts'
import { requestCode, SUBMIT_PATH } from '../phone/request-code.ts'
import { submitCode } from '../phone/submit-code.ts'
import { sessionRequestParts, unsupportedMedium } from './address-requests.ts'
import { v3 } from './paths.ts'

const Body = Type.Object({
  ...sessionRequestParts,
  country: Type.String({ maxLength: 16 }),
  phone_number: Type.String({ maxLength: 255 }),
})

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
    rateLimit: 'sms',
    body: Body,
    run: async (hs, { body, session }) => {
      if (!hs.sms.isThere) throw unsupportedMedium(purpose, 'text messages')
      if (purpose === 'register') registrationOffer(hs.config)
      return requestCode(hs, {
        country: body.country,
        phoneNumber: body.phone_number,
        clientSecret: body.client_secret,
        sendAttempt: body.send_attempt,
        purpose,
        userId: session?.userId ?? '',
      })
    },
  })
}

const requests: readonly Where[] = [
  { operation: 'requestTokenTo3PIDMSISDN', path: '/account/3pid/msisdn/requestToken', purpose: 'add' },
  { operation: 'requestTokenToRegisterMSISDN', path: '/register/msisdn/requestToken', purpose: 'register' },
  {
    operation: 'requestTokenToResetPasswordMSISDN',
    path: '/account/password/msisdn/requestToken',
    purpose: 'reset',
  },
]

/** As identity servers have it. https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validatemsisdnsubmittoken */
const submitPhoneCode = defineEndpoint({
  operation: 'submitPhoneCode',
  method: 'POST',
  path: SUBMIT_PATH,
  auth: 'none',
  rateLimit: 'login',
  body: Type.Object({
    sid: Type.String({ maxLength: 255 }),
    client_secret: Type.String({ maxLength: 255 }),
    token: Type.String({ maxLength: 255 }),
  }),
  run: async (hs, { body: { sid, client_secret: clientSecret, token } }) => {
    await submitCode(hs, { sid, clientSecret }, token)
    return { success: true }
  },
})

/** Text messages that prove a telephone number. */
export const phoneTokenRoutes: readonly AnyEndpoint[] = [...requests.map(requestEndpoint), submitPhoneCode]
