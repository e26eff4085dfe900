import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { DeviceId, EventId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { compileSyncFilter } from '../../sync/filter.ts'
import { sync } from '../../sync/sync.ts'
import { parseSyncToken } from '../../sync/token.ts'
import { findServerDrivers, type TestLogin } from '../../test-server.ts'
import { receiveEdus } from '../edus/receive-edu.ts'
import { ENCRYPTED, openPartialRoom, type PartialScene } from './test-partial-room.ts'

const segment = encodeURIComponent

interface Told {
  readonly next_batch: string
  readonly rooms?: { readonly join?: Record<string, ToldRoom | undefined> }
  readonly device_lists?: { readonly changed: string[]; readonly left: string[] }
}

interface ToldRoom {
  readonly state: { readonly events: readonly JsonObject[] }
  readonly timeline: { readonly events: readonly JsonObject[] }
}

/** Straight from the function, in the very moment of the call. */
async function readNow(scene: PartialScene, since: string, lazy: boolean): Promise<Told> {
  const { hs } = scene.ours
  const { userId, deviceId } = scene.bob
  const identity = { userId: userId as UserId, deviceId: deviceId as DeviceId, tokenNid: undefined }
  const standing = { isAdmin: false, isGuest: false, appserviceId: undefined }
  const answer = await sync(hs, {
    session: { ...identity, ...standing },
    since: parseSyncToken(since, hs.epochs),
    filter: compileSyncFilter({ room: { state: { lazy_load_members: lazy } } }),
    fullState: false,
    timeoutMs: 0,
    signal: new AbortController().signal,
  })
  return JSON.parse(answer.text) as Told
}

/** Resolves with what a reader is told who is woken by the room's becoming whole. */
function whenWoken<T>(scene: PartialScene, read: () => Promise<T>): Promise<T> {
  const { bus, log } = scene.ours.hs
  const { promise, resolve } = Promise.withResolvers<T>()
  let seen = log.head()
  bus.subscribe(() => {
    const entries = log.ring.since(seen)
    assert.ok(entries !== 'fell-behind')
    seen = log.head()
    if (entries.some(({ kind }) => kind === 'room_whole')) resolve(read())
  })
  return promise
}

async function comesIn(scene: PartialScene, localpart: string): Promise<TestLogin> {
  const login = await scene.resident.register(localpart)
  await scene.ask(scene.resident, login, 'POST', `/join/${segment(scene.roomId)}`, {})
  return login
}

/** Whether the log is still in memory for who asks. */
type Memory = 'in memory' | 'from the tables'

/** Whose devices Bob is told of since a token. */
async function lists(scene: PartialScene, since: string, memory: Memory): Promise<Told['device_lists']> {
  const { ring } = scene.ours.hs.log
  const held = { since: ring.since.bind(ring), sinceOf: ring.sinceOf.bind(ring) }
  const fellBehind = (): 'fell-behind' => 'fell-behind'
  if (memory === 'from the tables') Object.assign(ring, { since: fellBehind, sinceOf: fellBehind })
  try {
    const { device_lists: found = { changed: [], left: [] } } = await readNow(scene, since, true)
    return { changed: found.changed.toSorted(), left: found.left.toSorted() }
  } finally {
    Object.assign(ring, held)
  }
}

const deviceUpdate = (userId: string, streamId: number): JsonObject => ({
  edu_type: 'm.device_list_update',
  content: { user_id: userId, device_id: 'NEW', stream_id: streamId, prev_id: [] },
})

/** A room without a name is told with some of its members. */
const NAMED: JsonObject = { name: 'Named, so that nobody in it is told' }
const RESIDENT = 'resident.example' as ServerName

for (const driver of await findServerDrivers()) {
  describe(`${driver.name}: when the members of a room have come`, { skip: driver.skip }, () => {
    it('who is woken by that is shown the room, told how it is, and whose devices are to be fetched', async () => {
      await using scene = await openPartialRoom(
        driver,
        { '@derek:resident.example': 50 },
        { ...ENCRYPTED, ...NAMED },
      )
      const derek = await comesIn(scene, 'derek')
      const joined = await scene.stateId('m.room.member', derek.userId)
      await scene.ask(scene.resident, derek, 'POST', `/rooms/${segment(scene.roomId)}/leave`, {})
      const dora = await comesIn(scene, 'dora')
      const { next: before } = await scene.sync()
      await scene.join()
      const auth = await Promise.all([scene.stateId('m.room.create'), scene.stateId('m.room.power_levels')])
      const content = { topic: 'As it is not' }
      const forged = { type: 'm.room.topic', stateKey: '', sender: derek.userId, content }
      await scene.send({ ...forged, auth: [...auth, joined] })
      const { next } = await scene.sync(before)
      const woken = whenWoken(scene, () =>
        Promise.all([readNow(scene, before, false), readNow(scene, next, true)]),
      )
      await scene.complete()
      const [eager, lazy] = await woken
      const shown = eager.rooms?.join?.[scene.roomId]
      const members = (shown?.state.events ?? []).filter(({ type }) => type === 'm.room.member')
      const names = members.map((event) => event['state_key'])
      for (const userId of [scene.alice.userId, dora.userId]) assert.ok(names.includes(userId), `${userId}`)
      const room = lazy.rooms?.join?.[scene.roomId]
      const told = [...(room?.state.events ?? []), ...(room?.timeline.events ?? [])]
      const topic = told.findLast(({ type }) => type === 'm.room.topic')
      assert.equal((topic?.['content'] as JsonObject | undefined)?.['topic'], 'As it was')
      for (const { device_lists: devices } of [eager, lazy]) {
        assert.ok(devices?.changed.includes(dora.userId), JSON.stringify(devices))
      }
    })

    for (const memory of ['in memory', 'from the tables'] as const) {
      it(`who joined is told of their own devices with the join, and again only if those change, ${memory}`, async () => {
        await using scene = await openPartialRoom(driver, {}, { ...ENCRYPTED, ...NAMED })
        const dora = await comesIn(scene, 'dora')
        const { next: before } = await scene.sync()
        await scene.join()
        const { next: atJoin } = await scene.sync(before)
        const { alice, bob, ours } = scene
        assert.ok((await lists(scene, before, memory))?.changed.includes(bob.userId))
        await scene.complete()
        const { next: atWhole } = await scene.sync(atJoin)
        const news = await lists(scene, atJoin, memory)
        assert.ok(news?.changed.includes(dora.userId), JSON.stringify(news))
        assert.ok(!news?.changed.includes(bob.userId), JSON.stringify(news))
        assert.deepEqual(await lists(scene, before, memory), {
          changed: [alice.userId, bob.userId, dora.userId].toSorted(),
          left: [],
        })
        const keys = {
          user_id: bob.userId,
          device_id: bob.deviceId,
          algorithms: [],
          keys: {},
          signatures: {},
        }
        await scene.ask(ours, bob, 'POST', '/keys/upload', { device_keys: keys })
        assert.ok((await lists(scene, atJoin, memory))?.changed.includes(bob.userId))
        assert.deepEqual(await lists(scene, atWhole, memory), { changed: [bob.userId], left: [] })
      })

      it(`who was known to be there and left before that is told to have left, ${memory}`, async () => {
        await using scene = await openPartialRoom(driver, {}, ENCRYPTED)
        await comesIn(scene, 'dora')
        const { next: before } = await scene.sync()
        await scene.join()
        const { next } = await scene.sync(before)
        const { alice } = scene
        assert.ok((await lists(scene, before, memory))?.changed.includes(alice.userId), 'she is known')
        const names = [['m.room.create'], ['m.room.power_levels'], ['m.room.member', alice.userId]] as const
        const auth: EventId[] = await Promise.all(names.map(([type, key]) => scene.stateId(type, key)))
        const content = { membership: 'leave' }
        await scene.send({
          type: 'm.room.member',
          sender: alice.userId,
          stateKey: alice.userId,
          content,
          auth,
        })
        await scene.complete()
        const told = await lists(scene, next, memory)
        assert.deepEqual(told?.left, [alice.userId], JSON.stringify(told))
        assert.ok(!told.changed.includes(scene.bob.userId), JSON.stringify(told))
      })

      it(`whose devices changed before it was known that they are there is told of, even over a restart, ${memory}`, async () => {
        await using scene = await openPartialRoom(driver, {}, NAMED)
        const [dora, elsie] = [await comesIn(scene, 'dora'), await comesIn(scene, 'elsie')]
        const { next: before } = await scene.sync()
        await scene.join()
        const { next } = await scene.sync(before)
        await receiveEdus(scene.ours.hs, RESIDENT, [deviceUpdate(dora.userId, 1)])
        await receiveEdus(scene.ours.hs, RESIDENT, [deviceUpdate('@nobody:resident.example', 1)])
        assert.deepEqual(await lists(scene, next, memory), { changed: [], left: [] })
        const { next: later } = await scene.sync(next)
        await scene.restart()
        await scene.complete()
        const told = await lists(scene, later, memory)
        assert.deepEqual(told, { changed: [dora.userId], left: [] }, `${elsie.userId} has changed nothing`)
      })
    }

    it('a change of devices is told that comes while they are written', async () => {
      await using scene = await openPartialRoom(driver, {}, NAMED)
      const dora = await comesIn(scene, 'dora')
      await scene.join()
      const { next } = await scene.sync()
      const { db } = scene.ours.hs
      const query = db.query.bind(db)
      const [isRead, isWhole] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const slow: typeof query = async (sql, params) => {
        const rows = await query<never>(sql, params)
        if (!sql.includes('SELECT DISTINCT a.user_id FROM memberships')) return rows
        isRead.resolve()
        await isWhole.promise
        return rows
      }
      Object.assign(db, { query: slow })
      const received = receiveEdus(scene.ours.hs, RESIDENT, [deviceUpdate(dora.userId, 1)])
      await isRead.promise
      Object.assign(db, { query })
      await scene.complete()
      isWhole.resolve()
      await received
      assert.deepEqual(await lists(scene, next, 'in memory'), { changed: [dora.userId], left: [] })
    })
  })
}
