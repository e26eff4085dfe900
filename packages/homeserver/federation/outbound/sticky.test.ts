import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { clientRoutes } from '../../client/routes.ts'
import { ok } from '../../test-call.ts'
import { startFederatedServers, type FederatedServer } from '../../test-federation.ts'
import type { TestLogin } from '../../test-server.ts'
import { eventsIn } from '../../user-data/test-people.ts'
import { federationRoutes } from '../routes.ts'

const STICKY = 'org.matrix.msc4354.sticky_duration_ms=3600000'

/** Syncs until a room's sticky events, in its timeline or beside it, are these, whatever their order. */
async function untilSticky(
  server: FederatedServer,
  login: TestLogin,
  roomId: string,
  wanted: readonly string[],
): Promise<void> {
  const found = new Set<unknown>()
  for (let since = ''; wanted.some((body) => !found.has(body));) {
    const query = new URLSearchParams({ timeout: '30000', ...(since === '' ? {} : { since }) }).toString()
    const sync = await ok(server, login, 'GET', `/sync?${query}`)
    since = sync['next_batch'] as string
    const parts = ['timeline', 'msc4354_sticky'].flatMap((part) =>
      eventsIn(sync, 'rooms', 'join', roomId, part),
    )
    for (const event of parts) {
      if (event['msc4354_sticky'] !== undefined) found.add((event['content'] as JsonObject)['body'])
    }
  }
  assert.deepEqual(found, new Set(wanted))
}

it(
  'sticky events reach a server that comes into the room, and one that was away for too long for all that was said',
  { timeout: 300_000 },
  async () => {
    await using world = await startFederatedServers(2, { endpoints: [...clientRoutes, ...federationRoutes] })
    const [one, two] = world.servers as [FederatedServer, FederatedServer]
    const [alice, bob] = [await one.register('alice'), await two.register('bob')]
    const made = await ok(one, alice, 'POST', '/createRoom', { preset: 'public_chat' })
    const roomId = made['room_id'] as string
    const segment = encodeURIComponent(roomId)
    let count = 0
    const say = (body: string, query = ''): Promise<JsonObject> =>
      ok(one, alice, 'PUT', `/rooms/${segment}/send/m.room.message/t${count++}${query}`, {
        msgtype: 'm.text',
        body,
      })
    const stick = (body: string): Promise<JsonObject> => say(body, `?${STICKY}`)
    /** More than a server that was away is sent one by one, and more than one that joins asks for. */
    const talk = async (): Promise<void> => {
      for (let at = 0; at < 60; at++) await say(`talk ${at}`)
    }
    await stick('before he came')
    await stick('this too')
    await talk()
    await ok(two, bob, 'POST', `/join/${segment}?via=hs1.test`, {})
    await untilSticky(two, bob, roomId, ['before he came', 'this too'])
    await one.hs.outbound.idle()
    assert.deepEqual(await one.hs.db.query('SELECT server_name FROM outbound_sticky', []), [])
    await two.switchOff()
    await stick('while he was away')
    await talk()
    await two.switchOn()
    await ok(two, bob, 'PUT', `/rooms/${segment}/send/m.room.message/b1`, { msgtype: 'm.text', body: 'back' })
    await untilSticky(two, bob, roomId, ['before he came', 'this too', 'while he was away'])
  },
)
