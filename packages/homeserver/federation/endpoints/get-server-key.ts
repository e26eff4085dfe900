// https://spec.matrix.org/v1.19/server-server-api/#get_matrixkeyv2server
import { defineEndpoint } from '../../http/endpoint.ts'

export const getServerKey = defineEndpoint({
  operation: 'getServerKey',
  method: 'GET',
  path: '/_matrix/key/v2/server',
  // The second form, with the id of a key, is of before version 1.6 of the specification; it is ignored.
  also: ['/_matrix/key/v2/server/:keyId'],
  auth: 'none',
  run: async (hs) => hs.federation.ownKeys.document(),
})
