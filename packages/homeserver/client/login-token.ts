// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv1loginget_token
import { Type } from 'typebox'
import { createLoginToken, LOGIN_TOKEN_MS } from '../accounts/login-tokens.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { authData } from './account-schemas.ts'
import { confirmByPassword } from './confirm-by-password.ts'
import { v1 } from './paths.ts'

export const generateLoginToken = defineEndpoint({
  operation: 'generateLoginToken',
  method: 'POST',
  ...v1('/login/get_token', '/org.matrix.msc3882/login/get_token'),
  auth: 'user',
  rateLimit: 'login',
  body: Type.Object({ auth: authData }),
  run: async (hs, { session, body, ip }) =>
    confirmByPassword(hs, { session, body, ip }, 'generateLoginToken', async () => ({
      login_token: await createLoginToken(hs, session.userId),
      expires_in_ms: LOGIN_TOKEN_MS,
    })),
})
