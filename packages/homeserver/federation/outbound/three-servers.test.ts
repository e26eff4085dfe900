import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { clientRoutes } from '../../client/routes.ts'
import { startFederatedServers, type FederatedServer } from '../../test-federation.ts'
import type { TestLogin } from '../../test-server.ts'
import { federationRoutes } from '../routes.ts'

async function ok(
  server: FederatedServer,
  { token }: TestLogin,
  method: string,
  path: string,
  body: JsonObject,
): Promise<JsonObject> {
  const answer = await server.request(method, `/_matrix/client/v3${path}`, { token, body })
  assert.equal(answer.status, 200, `${method} ${path}: ${Buffer.from(answer.bytes).toString()}`)
  return answer.json()
}

/** Looks again whenever the server's log has grown. */
async function until(server: FederatedServer, condition: () => Promise<boolean>): Promise<void> {
  for (;;) {
    const { promise, resolve } = Promise.withResolvers<void>()
    const leave = server.hs.bus.subscribe(() => resolve())
    try {
      if (await condition()) return
      await promise
    } finally {
      leave()
    }
  }
}

/** Resolves when a server has an event of a room whose JSON contains a text. */
const hasEvent = (server: FederatedServer, roomId: string, text: string): Promise<void> =>
  until(server, async () => {
    const rows = await server.hs.db.query<{ json: string | Uint8Array }>(
      'SELECT e.json FROM events e JOIN rooms r ON r.nid = e.room_nid WHERE r.room_id = ? AND e.nid > 0',
      [roomId],
    )
    return rows.some(({ json }) =>
      (typeof json === 'string' ? json : Buffer.from(json).toString()).includes(text),
    )
  })

it(
  'three real servers: what one says, and who joins by it, reaches the others; after an outage too',
  { timeout: 240_000 },
  async () => {
    await using world = await startFederatedServers(3, { endpoints: [...clientRoutes, ...federationRoutes] })
    const [one, two, three] = world.servers as [FederatedServer, FederatedServer, FederatedServer]
    const alice = await one.register('alice')
    const bob = await two.register('bob')
    const carol = await three.register('carol')
    const made = await ok(one, alice, 'POST', '/createRoom', { preset: 'public_chat' })
    const roomId = made['room_id'] as string
    const segment = encodeURIComponent(roomId)
    const say = (server: FederatedServer, login: TestLogin, body: string): Promise<JsonObject> =>
      ok(server, login, 'PUT', `/rooms/${segment}/send/m.room.message/${body}`, { msgtype: 'm.text', body })
    await ok(two, bob, 'POST', `/join/${segment}?via=hs1.test`, {})
    await say(one, alice, 'from-one')
    await hasEvent(two, roomId, 'from-one')
    await say(two, bob, 'from-two')
    await hasEvent(one, roomId, 'from-two')
    // It joins by the first server, which tells the second.
    const { outbound } = one.hs
    await outbound.idle()
    const before = outbound.figures.counts.pdus
    await ok(three, carol, 'POST', `/join/${segment}?via=hs1.test`, {})
    await outbound.reached(one.hs.log.head())
    await outbound.idle()
    assert.equal(outbound.figures.counts.pdus - before, 1)
    await hasEvent(two, roomId, `"state_key":"${carol.userId}"`)
    await say(two, bob, 'to-both')
    await hasEvent(one, roomId, 'to-both')
    await hasEvent(three, roomId, 'to-both')
    await ok(one, alice, 'PUT', '/sendToDevice/m.test/t1', {
      messages: { [bob.userId]: { [bob.deviceId]: { n: 1 } } },
    })
    await until(two, async () => {
      const rows = await two.hs.db.query('SELECT json FROM to_device WHERE user_id = ?', [bob.userId])
      return rows.length === 1
    })
    await two.switchOff()
    for (let n = 0; n < 5; n++) await say(one, alice, `missed-${n}`)
    await hasEvent(three, roomId, 'missed-4')
    await two.switchOn()
    // It is back, and says so by sending something.
    await say(two, bob, 'back')
    await hasEvent(one, roomId, 'back')
    for (let n = 0; n < 5; n++) await hasEvent(two, roomId, `missed-${n}`)
  },
)
