// https://spec.matrix.org/v1.19/server-server-api/#get_matrixkeyv2server
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { defineEndpoint, RawJson } from '../../http/endpoint.ts'

export const getServerKey = defineEndpoint({
  operation: 'getServerKey',
  method: 'GET',
  path: '/_matrix/key/v2/server',
  // The second form, with the id of a key, is of before version 1.6 of the specification; it is ignored.
  also: ['/_matrix/key/v2/server/:keyId'],
  auth: 'none',
  // In the form that is signed: some verify the bytes as they come.
  run: async (hs) => new RawJson(canonicalJson(hs.federation.ownKeys.document())),
})
