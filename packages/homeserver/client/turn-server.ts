// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3voipturnserver
import { createHmac } from 'node:crypto'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { v3 } from './paths.ts'

/**
 * Credentials that the TURN server checks by itself: a user name that says until when it is good, and the HMAC of it
 * under the secret that both know (what coturn calls `use-auth-secret`).
 */
export const getTurnServer = defineEndpoint({
  operation: 'getTurnServer',
  method: 'GET',
  ...v3('/voip/turnServer'),
  auth: 'user',
  rateLimit: 'read',
  run: async (hs, { session }) => {
    const { uris, shared_secret: secret, lifetime_seconds: ttl } = hs.config.turn
    if (uris.length === 0 || secret === undefined) throw notFound('This server has no TURN server to offer')
    const username = `${Math.floor(hs.clock.now() / 1000) + ttl}:${session.userId}`
    const password = createHmac('sha1', secret).update(username).digest('base64')
    return { uris, ttl, username, password }
  },
})
