// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientversions
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { delayedLimits } from '../delayed/delayed-options.ts'
import { defineEndpoint } from '../http/endpoint.ts'

/** Versions whose required parts work here. */
const VERSIONS = [
  ...['r0.0.1', 'r0.1.0', 'r0.2.0', 'r0.3.0', 'r0.4.0', 'r0.5.0', 'r0.6.0', 'r0.6.1'],
  ...Array.from({ length: 16 }, (_, index) => `v1.${index + 1}`),
]

/** What works under a name from before it was in the specification, for clients that look for that. */
const UNSTABLE_FEATURES: JsonObject = {
  'org.matrix.e2e_cross_signing': true,
  'uk.tcpip.msc4133': true,
  'uk.tcpip.msc4133.stable': true,
  'org.matrix.msc4069': true,
  'org.matrix.simplified_msc3575': true,
  'org.matrix.msc4155': true,
  'org.matrix.msc4143': true,
  'org.matrix.msc4306': true,
  'org.matrix.msc4354': true,
  'org.matrix.msc4308': true,
  'org.matrix.msc3814': true,
  'org.matrix.msc3391': true,
  'org.matrix.msc3874': true,
  'org.matrix.msc3890': true,
}

export const getVersions = defineEndpoint({
  operation: 'getVersions',
  method: 'GET',
  path: '/_matrix/client/versions',
  auth: 'optional',
  run: async ({ config }) => ({
    versions: VERSIONS,
    unstable_features: {
      ...UNSTABLE_FEATURES,
      ...(delayedLimits(config.delayed_events) === undefined ? {} : { 'org.matrix.msc4140': true }),
    },
  }),
})
