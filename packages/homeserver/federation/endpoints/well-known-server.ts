// https://spec.matrix.org/v1.19/server-server-api/#getwell-knownmatrixserver
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { defineEndpoint } from '../../http/endpoint.ts'

export const getWellKnownServer = defineEndpoint({
  operation: 'getWellKnown',
  method: 'GET',
  path: '/.well-known/matrix/server',
  auth: 'none',
  run: async ({ config }) => {
    const { delegate } = config.federation
    if (delegate === undefined) throw notFound('This server is where its name says, and delegates to nobody')
    return { 'm.server': delegate }
  },
})
