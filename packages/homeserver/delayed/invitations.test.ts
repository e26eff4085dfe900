import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { createTestPeers, unreachable, type TestPeers } from '../federation/test-peers.ts'
import { ok } from '../test-call.ts'
import { findServerDrivers, type ServerDriver, type TestLogin, type TestServer } from '../test-server.ts'
import { createSteppedClock, type SteppedClock } from './test-clock.ts'
import { UNSTABLE } from './test-delayed.ts'

const HOUR = 3_600_000
const segment = encodeURIComponent

/** Alice, on a server whose clock can be put forward, has a room; Bob is a user of another. */
interface Stage extends AsyncDisposable {
  readonly one: TestServer
  readonly peers: TestPeers
  readonly clock: SteppedClock
  readonly alice: TestLogin
  readonly bob: TestLogin
  readonly roomId: string
  /** Has Bob invited in an hour; answers the delay id. */
  inviteLater(): Promise<string>
  manage(id: string, action: string): Promise<number>
  finalised(id: string): Promise<JsonObject | undefined>
  /** Invitations of Bob that the room has. */
  invitations(): Promise<JsonObject[]>
  /** Ids of those that his server was asked to sign. */
  asked(): string[]
  /** Resolves once so many requests for a signature were made. */
  untilAsked(count: number): Promise<void>
}

async function openStage(driver: ServerDriver): Promise<Stage> {
  const peers = createTestPeers()
  const clock = createSteppedClock()
  const one = await peers.start(driver, 'one.test', { clock })
  const two = await peers.start(driver, 'two.test')
  const [alice, bob] = [await one.register('alice'), await two.register('bob')]
  const { room_id: roomId } = await ok(one, alice, 'POST', '/createRoom', {})
  const room = `/rooms/${segment(roomId as string)}`
  const asked = (): string[] =>
    peers.asked
      .flatMap(({ path }) => /v2\/invite\/[^/]+\/(.+)$/.exec(path)?.[1] ?? [])
      .map(decodeURIComponent)
  return {
    one,
    peers,
    clock,
    alice,
    bob,
    roomId: roomId as string,
    asked,
    async inviteLater() {
      const path = `${room}/state/m.room.member/${segment(bob.userId)}?org.matrix.msc4140.delay=${HOUR}`
      return (await ok(one, alice, 'PUT', path, { membership: 'invite' }))['delay_id'] as string
    },
    async manage(id, action) {
      const path = `${UNSTABLE}/delayed_events/${id}/${action}`
      return (await one.request('POST', path, { token: alice.token, body: {} })).status
    },
    async finalised(id) {
      const answer = await one.request('GET', `${UNSTABLE}/delayed_events/${id}`, { token: alice.token })
      return answer.json()['finalised'] as JsonObject | undefined
    },
    async invitations() {
      const { chunk } = await ok(one, alice, 'GET', `${room}/messages?dir=b&limit=100`)
      return (chunk as JsonObject[]).filter(({ state_key: key }) => key === bob.userId)
    },
    async untilAsked(count) {
      while (asked().length < count) await clock.sleep(5)
    },
    async [Symbol.asyncDispose]() {
      await one[Symbol.asyncDispose]()
      await two[Symbol.asyncDispose]()
    },
  }
}

for (const driver of await findServerDrivers()) {
  describe(
    `invitations of other servers’ users that are sent later, on ${driver.name}`,
    { skip: driver.skip },
    () => {
      it('are neither cancelled nor restarted while the other server is asked, and sent once whoever asks', async () => {
        await using stage = await openStage(driver)
        const { one, peers, clock } = stage
        const id = await stage.inviteLater()
        const release = peers.hold('/invite/')
        clock.advance(HOUR)
        await stage.untilAsked(1)
        // His server may have shown it to him already.
        for (const action of ['cancel', 'restart']) assert.equal(await stage.manage(id, action), 409)
        const byRequest = stage.manage(id, 'send')
        await stage.untilAsked(2)
        assert.deepEqual([await stage.finalised(id), await stage.invitations()], [undefined, []])
        release()
        assert.equal(await byRequest, 200)
        await one.hs.delayed.idle()
        const invitations = await stage.invitations()
        const ids = invitations.map(({ event_id: eventId }) => eventId)
        assert.deepEqual([...new Set(stage.asked())], ids)
        const { finalised_ts: _, ...ended } = (await stage.finalised(id))!
        assert.deepEqual(ended, { event_id: ids[0] })
        assert.equal((invitations[0]!['unsigned'] as JsonObject)['org.matrix.msc4140.delay_id'], id)
        assert.equal(await stage.manage(id, 'cancel'), 409)
      })

      it('are scheduled as before when sending them by request is refused, and may be cancelled', async () => {
        await using stage = await openStage(driver)
        const id = await stage.inviteLater()
        stage.peers.play('two.test', () => unreachable('two.test'))
        assert.notEqual(await stage.manage(id, 'send'), 200)
        assert.deepEqual([stage.asked().length, await stage.finalised(id)], [1, undefined])
        assert.equal(await stage.manage(id, 'cancel'), 200)
        stage.peers.stopPlaying('two.test')
        stage.clock.advance(HOUR)
        await stage.one.hs.delayed.idle()
        assert.deepEqual([stage.asked().length, await stage.invitations()], [1, []])
      })
    },
  )
}
