// https://spec.matrix.org/v1.19/client-server-api/#getwell-knownmatrixclient
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { publicBaseUrl } from '../config.ts'
import { defineEndpoint } from '../http/endpoint.ts'

export const getWellKnown = defineEndpoint({
  operation: 'getWellknown',
  method: 'GET',
  path: '/.well-known/matrix/client',
  auth: 'none',
  run: async ({ config }) => {
    const { suggested } = config.identity_servers
    const { transports } = config.rtc
    return {
      'm.homeserver': { base_url: publicBaseUrl(config) },
      // Where clients look for it from before they could ask (MSC4143).
      ...(transports.length === 0 ? {} : { 'org.matrix.msc4143.rtc_foci': transports as JsonObject[] }),
      ...(suggested === undefined ? {} : { 'm.identity_server': { base_url: suggested } }),
    }
  },
})
