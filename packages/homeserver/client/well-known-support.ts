// https://spec.matrix.org/v1.19/client-server-api/#getwell-knownmatrixsupport
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { defineEndpoint } from '../http/endpoint.ts'

export const getWellKnownSupport = defineEndpoint({
  operation: 'getWellknownSupport',
  method: 'GET',
  path: '/.well-known/matrix/support',
  auth: 'none',
  run: async (hs) => {
    const { contacts, page } = hs.config.support
    if (contacts.length === 0 && page === undefined)
      throw notFound('The operators of this server have not said how to reach them')
    return {
      ...(contacts.length === 0 ? {} : { contacts }),
      ...(page === undefined ? {} : { support_page: page }),
    }
  },
})
