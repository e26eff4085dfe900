import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers } from '../test-server.ts'
import { clientRoutes } from './routes.ts'

const PATH = '/_matrix/client/unstable/org.matrix.msc4143/rtc/transports'
const LIVEKIT = { type: 'livekit', livekit_service_url: 'https://rtc.example.org/jwt' }
const OTHER = { type: 'org.example.sfu', address: 'sfu.example.org', ports: [1, 2] }

const [driver] = await findServerDrivers()

for (const transports of [[], [LIVEKIT, OTHER]]) {
  test(`clients are told of ${transports.length} servers for calls`, async () => {
    await using server = await driver!.start({ endpoints: clientRoutes, config: { rtc: { transports } } })
    const { token } = await server.register('alice')
    const answer = await server.request('GET', PATH, { token })
    assert.deepEqual([answer.status, answer.json()], [200, { rtc_transports: transports }])
    assert.equal((await server.request('GET', PATH)).status, 401)
    const wellKnown = (await server.request('GET', '/.well-known/matrix/client')).json()
    const foci = wellKnown['org.matrix.msc4143.rtc_foci']
    assert.deepEqual(foci, transports.length === 0 ? undefined : transports)
    const versions = (await server.request('GET', '/_matrix/client/versions')).json()
    assert.equal((versions['unstable_features'] as JsonObject)['org.matrix.msc4143'], true)
  })
}
