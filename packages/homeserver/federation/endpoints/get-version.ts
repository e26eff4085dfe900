// https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1version
import { defineEndpoint } from '../../http/endpoint.ts'
import { VERSION } from '../version.ts'

export const getVersion = defineEndpoint({
  operation: 'getVersion',
  method: 'GET',
  path: '/_matrix/federation/v1/version',
  auth: 'none',
  run: async () => ({ server: { name: 'Causeway', version: VERSION } }),
})
