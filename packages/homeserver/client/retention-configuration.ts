// https://github.com/matrix-org/matrix-spec-proposals/pull/1763
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { retentionLimits } from '../retention-options.ts'

/** What is given, under its name. */
const named = (values: Readonly<Record<string, number | undefined>>): JsonObject =>
  Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, number] => entry[1] !== undefined),
  )

const unlessEmpty = (name: string, object: JsonObject): JsonObject =>
  Object.keys(object).length === 0 ? {} : { [name]: object }

/** How long messages live in rooms that do not say so, and what is made of what rooms say. */
export const getRetentionConfiguration = defineEndpoint({
  operation: 'getRetentionConfiguration',
  method: 'GET',
  path: '/_matrix/client/unstable/org.matrix.msc1763/retention/configuration',
  auth: 'user',
  rateLimit: 'read',
  run: async ({ config }) => {
    const limits = retentionLimits(config.retention)
    if (limits === undefined)
      throw new MatrixError('M_UNRECOGNIZED', 'On this server messages live for ever', { status: 404 })
    const { defaultMin, defaultMax, allowedMin, allowedMax } = limits
    return {
      policies: unlessEmpty('*', named({ min_lifetime: defaultMin, max_lifetime: defaultMax })),
      limits: unlessEmpty('max_lifetime', named({ min: allowedMin, max: allowedMax })),
    }
  },
})
