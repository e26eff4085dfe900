// https://spec.matrix.org/v1.19/client-server-api/#openid
import { Type } from 'typebox'
import { createOpenIdToken, OPENID_TOKEN_SECONDS } from '../accounts/openid-tokens.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import { requireSelf } from './own-user.ts'
import { v3 } from './paths.ts'
import { userIdText } from './schemas.ts'

export const requestOpenIdToken = defineEndpoint({
  operation: 'requestOpenIdToken',
  method: 'POST',
  ...v3('/user/:userId/openid/request_token'),
  auth: 'user',
  rateLimit: 'profile',
  params: Type.Object({ userId: userIdText }),
  body: jsonObject,
  run: async (hs, { session, params }) => {
    requireSelf(session, params.userId)
    return {
      access_token: await createOpenIdToken(hs, session.userId),
      token_type: 'Bearer',
      matrix_server_name: hs.serverName,
      expires_in: OPENID_TOKEN_SECONDS,
    }
  },
})
