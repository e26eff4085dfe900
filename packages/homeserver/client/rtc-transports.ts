// https://github.com/matrix-org/matrix-spec-proposals/pull/4143
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { defineEndpoint } from '../http/endpoint.ts'

export const getRtcTransports = defineEndpoint({
  operation: 'getRtcTransports',
  method: 'GET',
  path: '/_matrix/client/unstable/org.matrix.msc4143/rtc/transports',
  auth: 'user',
  rateLimit: 'read',
  run: async ({ config }) => ({ rtc_transports: config.rtc.transports as JsonObject[] }),
})
