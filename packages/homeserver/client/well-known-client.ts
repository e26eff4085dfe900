// https://spec.matrix.org/v1.19/client-server-api/#getwell-knownmatrixclient
import { publicBaseUrl } from '../config.ts'
import { defineEndpoint } from '../http/endpoint.ts'

export const getWellKnown = defineEndpoint({
  operation: 'getWellknown',
  method: 'GET',
  path: '/.well-known/matrix/client',
  auth: 'none',
  run: async ({ config }) => {
    const { suggested } = config.identity_servers
    return {
      'm.homeserver': { base_url: publicBaseUrl(config) },
      ...(suggested === undefined ? {} : { 'm.identity_server': { base_url: suggested } }),
    }
  },
})
