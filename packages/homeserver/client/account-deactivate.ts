// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate
import { Type } from 'typebox'
import { deactivateAccount as deactivate } from '../accounts/deactivate.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { parseIdentityServer } from '../identity/identity-servers.ts'
import { authData } from './account-schemas.ts'
import { confirmByPassword } from './confirm-by-password.ts'
import { v3 } from './paths.ts'

export const deactivateAccount = defineEndpoint({
  operation: 'deactivateAccount',
  method: 'POST',
  ...v3('/account/deactivate'),
  auth: 'user',
  rateLimit: 'login',
  body: Type.Object({
    auth: authData,
    id_server: Type.Optional(Type.String()),
    erase: Type.Optional(Type.Boolean()),
  }),
  run: async (hs, { session, body, ip }) =>
    confirmByPassword(hs, { session, body, ip }, 'deactivateAccount', async () => {
      const idServer = body.id_server === undefined ? undefined : parseIdentityServer(body.id_server)
      const unbound = await deactivate(hs, session.userId, body.erase ?? false, idServer)
      return { id_server_unbind_result: unbound }
    }),
})
