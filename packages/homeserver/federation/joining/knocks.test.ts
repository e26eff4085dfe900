import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { ok } from '../../test-call.ts'
import type { FederatedServer } from '../../test-federation.ts'
import type { TestLogin } from '../../test-server.ts'
import {
  makeRoom,
  membershipOf,
  newestOf,
  refused,
  segment,
  sendHeld,
  sendNewest,
  startNeighbours,
  sync,
  whole,
  type Neighbours,
} from './test-joining.ts'

let neighbours: Neighbours
let one: FederatedServer
let two: FederatedServer
let alice: TestLogin
let bob: TestLogin
before(async () => {
  neighbours = await startNeighbours()
  ;({ one, two, alice, bob } = neighbours)
})
after(() => neighbours[Symbol.asyncDispose]())

const KNOCKING = { type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } }

/** Nothing is written of a room before this says so, or is disposed of: what is to be written waits in its queue. */
function holdQueue(
  { hs }: FederatedServer,
  roomId: string,
): Disposable & {
  /** Resolves once so many writes wait. */
  waiting(count: number): Promise<void>
  go(): void
} {
  const hold = Promise.withResolvers<void>()
  const { queue } = hs.rooms
  const serial: (typeof queue)['serial'] = queue.serial.bind(queue)
  let count = 0
  let counted = Promise.withResolvers<void>()
  const counting: typeof serial = (key, fn) => {
    const written = serial(key, fn)
    if (key === roomId) count += 1
    counted.resolve()
    return written
  }
  void queue.serial(roomId as RoomId, () => hold.promise)
  Object.assign(queue, { serial: counting })
  return {
    async waiting(wanted) {
      while (count < wanted) {
        counted = Promise.withResolvers()
        await counted.promise
      }
    },
    go: () => hold.resolve(),
    [Symbol.dispose]() {
      hold.resolve()
      Object.assign(queue, { serial })
    },
  }
}

describe('knocks across servers', () => {
  it('knock: the room is shown as far as its server tells, and an invitation lets the user in', async () => {
    const roomId = await makeRoom(one, alice, {
      preset: 'private_chat',
      name: 'Door',
      initial_state: [KNOCKING],
    })
    const { next_batch: since } = await sync(two, bob)
    await ok(two, bob, 'POST', `/knock/${segment(roomId)}?via=${one.name}`, { reason: 'please' })
    assert.equal(await membershipOf(one, alice, roomId, bob.userId), 'knock')
    const shown = (await sync(two, bob, since)).rooms?.knock?.[roomId]
    assert.ok(shown?.knock_state.events.some((event) => event['type'] === 'm.room.name'))
    await ok(one, alice, 'POST', `/rooms/${segment(roomId)}/invite`, { user_id: bob.userId })
    await ok(two, bob, 'POST', `/rooms/${segment(roomId)}/join`, {})
    assert.equal(await membershipOf(one, alice, roomId, bob.userId), 'join')
    await whole(two)
    const invited = await makeRoom(one, alice, { preset: 'private_chat' })
    const path = `/knock/${segment(invited)}?via=${one.name}`
    assert.match(await refused(two, bob, 'POST', path, {}), /403 M_FORBIDDEN/)
  })

  it('turn a knock down: the user, in whose server nobody is in the room, learns of it and may knock again', async () => {
    const roomId = await makeRoom(one, alice, { preset: 'private_chat', initial_state: [KNOCKING] })
    const knock = `/knock/${segment(roomId)}?via=${one.name}`
    for (const how of ['kick', 'ban']) {
      const { next_batch: since } = await sync(two, bob)
      await ok(two, bob, 'POST', knock, {})
      const knocked = await sync(two, bob, since)
      assert.ok(knocked.rooms?.knock?.[roomId] !== undefined)
      await ok(one, alice, 'POST', `/rooms/${segment(roomId)}/${how}`, { user_id: bob.userId, reason: 'no' })
      const [answer] = await sendNewest(one, two, roomId)
      assert.deepEqual(answer, {})
      const left = (await sync(two, bob, knocked.next_batch)).rooms?.leave?.[roomId] as {
        timeline: { events: { sender: string; state_key: string; content: JsonObject }[] }
      }
      assert.deepEqual(
        left.timeline.events.map(({ sender, state_key: key, content }) => [
          sender,
          key,
          content['membership'],
        ]),
        [[alice.userId, bob.userId, how === 'ban' ? 'ban' : 'leave']],
      )
      assert.equal((await sync(two, bob)).rooms?.knock?.[roomId], undefined)
    }
    assert.match(await refused(two, bob, 'POST', knock, {}), /403 M_FORBIDDEN/)
  })

  it('a knock is ended by nobody who does not know of it', async () => {
    const roomId = await makeRoom(one, alice, { preset: 'private_chat', initial_state: [KNOCKING] })
    await ok(two, bob, 'POST', `/knock/${segment(roomId)}?via=${one.name}`, {})
    await ok(one, alice, 'POST', `/rooms/${segment(roomId)}/kick`, { user_id: bob.userId })
    // The knock after the one that was turned down: what ended the first does not end the second.
    await ok(two, bob, 'POST', `/knock/${segment(roomId)}?via=${one.name}`, { reason: 'again' })
    const { next_batch: since } = await sync(two, bob)
    assert.deepEqual(await sendNewest(one, two, roomId, 1), [{ error: 'This server is not in the room' }])
    assert.equal((await sync(two, bob, since)).rooms?.leave?.[roomId], undefined)
    assert.ok((await sync(two, bob)).rooms?.knock?.[roomId] !== undefined)
  })

  for (const how of ['knock', 'invite'] as const) {
    it(`a second ${how} that comes in while the end of the first is weighed stands`, async () => {
      const roomId = await makeRoom(one, alice, { preset: 'private_chat', initial_state: [KNOCKING] })
      const again = (): Promise<JsonObject> =>
        how === 'knock'
          ? ok(two, bob, 'POST', `/knock/${segment(roomId)}?via=${one.name}`, {})
          : ok(one, alice, 'POST', `/rooms/${segment(roomId)}/invite`, { user_id: bob.userId })
      await again()
      await ok(one, alice, 'POST', `/rooms/${segment(roomId)}/kick`, { user_id: bob.userId })
      const ending = await newestOf(one, roomId)
      const { next_batch: since } = await sync(two, bob)
      using queue = holdQueue(two, roomId)
      const second = again()
      await queue.waiting(1)
      // The first still stands for whoever looks now, and so its end is let through to the queue.
      const answer = sendHeld(one, two, ending)
      await queue.waiting(2)
      queue.go()
      await second
      assert.deepEqual(await answer, [{ error: 'This server is not in the room' }])
      const after = (await sync(two, bob, since)).rooms
      assert.equal(after?.leave?.[roomId], undefined)
      assert.ok(after?.[how]?.[roomId] !== undefined)
    })
  }
})
