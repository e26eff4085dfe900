import { Type } from 'typebox'
import { findRegistrationToken, isUsable } from '@causeway/store/tables/registration-tokens.ts'
import { registrationOffer } from '../accounts/registration-policy.ts'
import { chooseUserId } from '../accounts/usernames.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { v1, v3 } from './paths.ts'

/** https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3registeravailable */
export const checkUsernameAvailability = defineEndpoint({
  operation: 'checkUsernameAvailability',
  method: 'GET',
  ...v3('/register/available'),
  auth: 'none',
  // Clients ask with every letter that is typed.
  rateLimit: 'read',
  query: Type.Object({ username: Type.String() }),
  run: async (hs, { query }) => {
    registrationOffer(hs.config)
    await chooseUserId(hs, query.username)
    return { available: true }
  },
})

/** https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1registermloginregistration_tokenvalidity */
export const registrationTokenValidity = defineEndpoint({
  operation: 'registrationTokenValidity',
  method: 'GET',
  ...v1('/register/m.login.registration_token/validity'),
  auth: 'none',
  rateLimit: 'registration',
  query: Type.Object({ token: Type.String() }),
  run: async (hs, { query }) => {
    registrationOffer(hs.config)
    const token = query.token.length > 64 ? undefined : await findRegistrationToken(hs.db, query.token)
    return { valid: token !== undefined && isUsable(token, hs.clock.now()) }
  },
})
