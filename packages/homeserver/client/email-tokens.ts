// https://spec.matrix.org/v1.19/client-server-api/#adding-account-administrative-contact-information
import { Type } from 'typebox'
import { requestEmailToken } from '../email/request-token.ts'
import type { AnyEndpoint } from '../http/endpoint.ts'
import { requestTokenEndpoints, sessionRequestParts } from './address-requests.ts'

/** Mails that prove an address. */
export const emailTokenRoutes: readonly AnyEndpoint[] = requestTokenEndpoints({
  medium: 'email',
  id: 'Email',
  what: 'e-mail',
  rateLimit: 'email',
  body: Type.Object({ ...sessionRequestParts, email: Type.String({ maxLength: 1024 }) }),
  isThere: (hs) => hs.email.isThere,
  send: async (hs, request, { email }) => ({ sid: await requestEmailToken(hs, { ...request, email }) }),
})
