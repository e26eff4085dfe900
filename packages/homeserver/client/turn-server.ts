// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3voipturnserver
import { createHmac } from 'node:crypto'
import { defineEndpoint } from '../http/endpoint.ts'
import { v3 } from './paths.ts'

/**
 * Credentials that the TURN server checks by itself: a user name that says until when it is good, and the HMAC of it
 * under the secret that both know (what coturn calls `use-auth-secret`). Without a TURN server an empty object, as Synapse and
 * Dendrite answer: the specification says nothing of it, clients on matrix-js-sdk ask every minute and take anything but
 * 200 for a fault, and an empty list of addresses for one that they give to the browser, which then refuses the call.
 */
export const getTurnServer = defineEndpoint({
  operation: 'getTurnServer',
  method: 'GET',
  ...v3('/voip/turnServer'),
  auth: 'user',
  rateLimit: 'read',
  run: async (hs, { session }) => {
    const { uris, shared_secret: secret, lifetime_seconds: ttl } = hs.config.turn
    if (uris.length === 0 || secret === undefined) return {}
    const username = `${Math.floor(hs.clock.now() / 1000) + ttl}:${session.userId}`
    const password = createHmac('sha1', secret).update(username).digest('base64')
    return { uris, ttl, username, password }
  },
})
