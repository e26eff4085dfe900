import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { clientRoutes } from '../../client/routes.ts'
import { RateLimiter } from '../../limits/limiter.ts'
import { createStickyLimit } from '../../limits/sticky-limit.ts'
import { NO_LIMITS } from '../../limits/test-limits.ts'
import { ok } from '../../test-call.ts'
import { startFederatedServers, type FederatedServer } from '../../test-federation.ts'
import { FederationError } from '../federation-client.ts'
import {
  join,
  keepToItself,
  makeRoom,
  newestOf,
  segment,
  sendHeld,
  sync,
  whole,
  type HeldPdu,
} from '../joining/test-joining.ts'
import { federationRoutes } from '../routes.ts'

const STICKY = '?org.matrix.msc4354.sticky_duration_ms=3600000'

it('a server that has too many sticky events here is told to come again, and what is not sticky passes', async () => {
  await using world = await startFederatedServers(2, { endpoints: [...clientRoutes, ...federationRoutes] })
  const [one, two] = world.servers as [FederatedServer, FederatedServer]
  const [alice, bob] = [await one.register('alice'), await two.register('bob')]
  const roomId = await makeRoom(one, alice)
  await join(two, bob, roomId, one.name)
  await whole(two)
  world.servers.forEach(keepToItself)
  let now = 0
  const limits = { ...NO_LIMITS, sticky: { perSecond: 20, burst: 1_000 } }
  const stickyLimit = createStickyLimit(new RateLimiter(limits, { monotonic: () => now }))
  Object.assign(one.hs.rooms, { stickyLimit })
  /** It has sent as many as it may have for now. */
  const exhaust = (): void => {
    while (stickyLimit.admit(two.name));
  }
  let count = 0
  const say = async (body: string, query = ''): Promise<HeldPdu> => {
    const path = `/rooms/${segment(roomId)}/send/m.room.message/s${count++}${query}`
    await ok(two, bob, 'PUT', path, { msgtype: 'm.text', body })
    return newestOf(two, roomId)
  }
  const deliver = async (event: HeldPdu): Promise<JsonObject[]> => {
    two.hs.federation.client.heardFrom(one.name)
    const answers = await sendHeld(two, one, event)
    await one.hs.receiving.inbox.idle()
    return answers
  }
  const bodies = async (): Promise<unknown[]> => {
    const { events } = (await sync(one, alice)).rooms!.join![roomId]!.timeline
    return events.flatMap(({ content }) => (content as JsonObject)['body'] ?? [])
  }
  const stickyRows = async (): Promise<number> =>
    (await one.hs.db.query('SELECT 1 FROM sticky_events', [])).length

  const [first, plain, second] = [await say('first', STICKY), await say('plain'), await say('second', STICKY)]
  assert.deepEqual(await deliver(first), [{}])
  exhaust()
  assert.deepEqual(await deliver(plain), [{}])
  let wait = 0
  await assert.rejects(deliver(second), (error) => {
    assert.ok(error instanceof FederationError && error.failure.kind === 'refused')
    wait = (error.failure.body as JsonObject)['retry_after_ms'] as number
    assert.deepEqual([error.failure.status, error.failure.errcode], [429, 'M_LIMIT_EXCEEDED'])
    return wait > 0
  })
  assert.deepEqual(await bodies(), ['first', 'plain'])
  now += wait
  assert.deepEqual(await deliver(second), [{}])
  assert.deepEqual([await bodies(), await stickyRows()], [['first', 'plain', 'second'], 2])

  // What this server fetches itself, since the next event follows it, is an event like any other.
  exhaust()
  await say('third', STICKY)
  assert.deepEqual(await deliver(await say('follows it')), [{}])
  assert.deepEqual(
    [await bodies(), await stickyRows()],
    [['first', 'plain', 'second', 'third', 'follows it'], 2],
  )
})
