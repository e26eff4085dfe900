// https://spec.matrix.org/v1.19/client-server-api/#adding-account-administrative-contact-information
import { Type } from 'typebox'
import { defineEndpoint, type AnyEndpoint } from '../http/endpoint.ts'
import { requestCode, SUBMIT_PATH } from '../phone/request-code.ts'
import { submitCode } from '../phone/submit-code.ts'
import { requestTokenEndpoints, sessionRequestParts } from './address-requests.ts'

const requests = requestTokenEndpoints({
  medium: 'msisdn',
  id: 'MSISDN',
  what: 'text messages',
  rateLimit: 'sms',
  body: Type.Object({
    ...sessionRequestParts,
    country: Type.String({ maxLength: 16 }),
    phone_number: Type.String({ maxLength: 255 }),
  }),
  isThere: (hs) => hs.sms.isThere,
  send: (hs, request, { country, phone_number: phoneNumber }) =>
    requestCode(hs, { ...request, country, phoneNumber }),
})

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
export const phoneTokenRoutes: readonly AnyEndpoint[] = [...requests, submitPhoneCode]
