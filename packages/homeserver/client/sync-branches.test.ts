import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject, RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import { loadSigningKey, publicKeyOf } from '../crypto/signing-key.ts'
import { findRoom } from '../rooms/load-head.ts'
import type { ReceiveDeps } from '../rooms/receive/deps.ts'
import { createReceiveFigures } from '../rooms/receive/figures.ts'
import { createInbox } from '../rooms/receive/inbox.ts'
import { receivePdus } from '../rooms/receive/receive-pdus.ts'
import { FarServer } from '../rooms/receive/test-far-server.ts'
import { findServerDrivers, type ServerDriver } from '../test-server.ts'
import { eventsIn, openPeople, type People, type Person } from '../user-data/test-people.ts'

/** Alice in a room in which a message of another branch came after one that stands deeper in the graph. */
interface Branched extends AsyncDisposable {
  readonly alice: Person
  readonly roomId: string
  /** `e1`, `e3`, `e4` of Alice and then `s2`, a name that was given after `e1`, and `e5`, which joins both branches. */
  readonly ids: Readonly<Record<'e1' | 'e3' | 'e4' | 's2' | 'e5', string>>
}

/** Takes in what another server sends into a room of these people. */
async function openFar(people: People): Promise<{
  readonly far: FarServer
  readonly receive: (event: RoomEvent) => Promise<void>
  readonly close: () => Promise<void>
}> {
  const { hs } = people.server
  const key = await loadSigningKey(hs.config.signing_key, systemRandom)
  const far = new FarServer('far.example', {
    name: hs.serverName,
    keyId: key.keyId,
    publicKey: publicKeyOf(key),
  })
  const logger = { info: () => undefined, warn: () => undefined }
  const deps: ReceiveDeps = {
    engine: hs.rooms,
    peers: far.peers,
    clock: systemClock,
    logger,
    figures: createReceiveFigures(),
  }
  const inbox = createInbox(deps, async () => [far.name])
  return {
    far,
    async receive(event) {
      const results = await receivePdus({ ...deps, inbox }, far.name, people.roomId as RoomId, [event.pdu])
      assert.deepEqual([...results.values()], [{}])
    },
    close: async () => inbox[Symbol.asyncDispose](),
  }
}

async function openBranched(driver: ServerDriver): Promise<Branched> {
  const people = await openPeople(driver, {
    room: { power_level_content_override: { users: { '@bob:far.example': 50 } } },
  })
  const { alice, roomId, server } = people
  const { far, receive, close } = await openFar(people)
  const { rooms } = server.hs
  const room = (await findRoom(rooms, roomId as RoomId))!
  const bob = far.user('bob')
  await receive((await far.branchAt(rooms, room)).member(bob, bob, 'join'))
  const e1 = await alice.say(roomId, 'e1')
  const branch = await far.branchAt(rooms, room)
  const [e3, e4] = [await alice.say(roomId, 'e3'), await alice.say(roomId, 'e4')]
  await alice.sync()
  const named = branch.send({ type: 'm.room.name', stateKey: '', sender: bob, content: { name: 's2' } })
  await receive(named)
  const e5 = await alice.say(roomId, 'e5', {}, 'com.example.joins')
  return {
    alice,
    roomId,
    ids: { e1, e3, e4, s2: named.eventId, e5 },
    async [Symbol.asyncDispose]() {
      await close()
      await people[Symbol.asyncDispose]()
    },
  }
}

const idsOf = (events: readonly JsonObject[]): unknown[] => events.map((event) => event['event_id'])

function timelineIn(sync: JsonObject, roomId: string): { ids: unknown[]; before: string } {
  const rooms = (sync['rooms'] as JsonObject)['join'] as Record<string, { timeline: JsonObject }>
  return {
    ids: idsOf(eventsIn(sync, 'rooms', 'join', roomId, 'timeline')),
    before: rooms[roomId]!.timeline['prev_batch'] as string,
  }
}

const filterOf = (timeline: JsonObject): { filter: string } => ({
  filter: JSON.stringify({ room: { timeline } }),
})

for (const driver of await findServerDrivers()) {
  describe(`a room whose branches met, by sync on ${driver.name}`, { skip: driver.skip }, () => {
    it('is read for the first time in the order of the graph, which the pages before it go on with', async () => {
      await using scene = await openBranched(driver)
      const { alice, roomId, ids } = scene
      const path = `/rooms/${encodeURIComponent(roomId)}/messages?dir=b&limit=100`
      const whole = idsOf((await alice.call('GET', path))['chunk'] as JsonObject[])
      assert.deepEqual(whole.slice(0, 5), [ids.e5, ids.e4, ids.s2, ids.e3, ids.e1])
      for (const limit of [1, 2, 3, 4, 50]) {
        const { ids: told, before } = timelineIn(await alice.firstSync(filterOf({ limit })), roomId)
        const rest = (await alice.call('GET', `${path}&from=${before}`))['chunk'] as JsonObject[]
        assert.deepEqual([...told.toReversed(), ...idsOf(rest)], whole, `limit ${limit}`)
      }
    })

    it('is told further as it came', async () => {
      await using scene = await openBranched(driver)
      const { alice, roomId, ids } = scene
      assert.deepEqual(timelineIn(await alice.sync(), roomId).ids, [ids.s2, ids.e5])
    })

    it('is told with its state after the timeline, however much of that is shown', async () => {
      await using scene = await openBranched(driver)
      const { alice, roomId, ids } = scene
      const stateIn = (sync: JsonObject): unknown[] =>
        idsOf(eventsIn(sync, 'rooms', 'join', roomId, 'state_after'))
      const after = { use_state_after: 'true' }
      const path = `/rooms/${encodeURIComponent(roomId)}/state`
      const whole = idsOf((await alice.call('GET', path)) as unknown as JsonObject[])
      assert.ok(whole.includes(ids.s2))
      for (const limit of [1, 2, 50]) {
        const told = stateIn(await alice.firstSync({ ...filterOf({ limit }), ...after }))
        assert.deepEqual(new Set(told), new Set(whole), `limit ${limit}`)
      }
      assert.deepEqual(stateIn(await alice.sync(after)), [ids.s2])
    })

    it('is told with the state that came by the branch which its timeline leaves out', async () => {
      await using scene = await openBranched(driver)
      const { alice, roomId, ids } = scene
      const sync = await alice.firstSync(filterOf({ limit: 1, not_types: ['com.example.joins'] }))
      assert.deepEqual(timelineIn(sync, roomId).ids, [ids.e4])
      assert.ok(idsOf(eventsIn(sync, 'rooms', 'join', roomId, 'state')).includes(ids.s2))
    })

    it('is told with state that a filter keeps from the timeline, at first and further, and with none twice', async () => {
      await using people = await openPeople(driver)
      const { alice, room, roomId } = people
      const rename = async (name: string): Promise<unknown> =>
        (await alice.call('PUT', `${room}/state/m.room.name/`, { name }))['event_id']
      const filter = filterOf({ limit: 10, types: ['m.room.message'] })
      const said = await alice.say(roomId, 'one')
      const first = await rename('first')
      const initial = await alice.firstSync(filter)
      assert.ok(timelineIn(initial, roomId).ids.includes(said))
      assert.ok(idsOf(eventsIn(initial, 'rooms', 'join', roomId, 'state')).includes(first))
      await alice.sync(filter)
      await alice.say(roomId, 'two')
      const second = await rename('second')
      const further = await alice.sync(filter)
      assert.deepEqual(idsOf(eventsIn(further, 'rooms', 'join', roomId, 'state')), [second])
      const both = filterOf({ limit: 10, types: ['m.room.message', 'm.room.name'] })
      await alice.say(roomId, 'three')
      const third = await rename('third')
      await alice.call('PUT', `${room}/state/m.room.topic/`, { topic: 'filtered' })
      const mixed = await alice.firstSync(both)
      assert.ok(timelineIn(mixed, roomId).ids.includes(third))
      const state = eventsIn(mixed, 'rooms', 'join', roomId, 'state')
      assert.ok(state.some(({ type }) => type === 'm.room.topic'))
      assert.deepEqual(
        state.filter(({ type }) => type === 'm.room.name').map((event) => event['event_id']),
        [],
        'there was no name before the timeline',
      )
    })
  })
}
