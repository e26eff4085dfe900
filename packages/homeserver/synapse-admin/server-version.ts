import { defineEndpoint } from '../http/endpoint.ts'
import { VERSION } from '../federation/version.ts'

/** What server this is: the first that tools ask, before anybody has logged in. */
export const synapseServerVersion = defineEndpoint({
  operation: 'synapseServerVersion',
  method: 'GET',
  path: '/_synapse/admin/v1/server_version',
  auth: 'none',
  rateLimit: 'read',
  run: async () => ({ server_version: `Causeway ${VERSION}` }),
})
