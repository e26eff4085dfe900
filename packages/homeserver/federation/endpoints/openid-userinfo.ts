// https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1openiduserinfo
import { Type } from 'typebox'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { defineEndpoint } from '../../http/endpoint.ts'
import { findOpenIdOwner } from '../../accounts/openid-tokens.ts'

export const exchangeOpenIdToken = defineEndpoint({
  operation: 'exchangeOpenIdToken',
  method: 'GET',
  path: '/_matrix/federation/v1/openid/userinfo',
  auth: 'none',
  rateLimit: 'federation',
  query: Type.Object({ access_token: Type.String() }),
  run: async (hs, { query }) => {
    const userId = await findOpenIdOwner(hs, query.access_token)
    if (userId === undefined) throw new MatrixError('M_UNKNOWN_TOKEN', 'This token is unknown or has expired')
    return { sub: userId }
  },
})
