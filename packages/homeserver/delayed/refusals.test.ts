import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId, UserId } from '@causeway/matrix/ids/ids.ts'
import { setStanding } from '../accounts/administer.ts'
import { deactivateAccount } from '../accounts/deactivate.ts'
import { ok } from '../test-call.ts'
import { findServerDrivers } from '../test-server.ts'
import { createDelayedSending } from './delayed-sending.ts'
import {
  ask,
  delay,
  delayState,
  inRoom,
  listScheduledOf,
  openStage,
  readTexts,
  TYPE,
  type Stage,
} from './test-delayed.ts'

const MINUTE = 60_000

const sendLater = (stage: Stage, ms: number | string) =>
  inRoom(stage, stage.alice, 'PUT', `/send/${TYPE}/t${ms}?org.matrix.msc4140.delay=${ms}`, { text: 'x' })

const errorOf = async (stage: Stage, id: string): Promise<JsonObject> => {
  const { json } = await ask(stage, stage.bob, 'GET', `/delayed_events/${id}`)
  return (json['finalised'] as JsonObject)['error'] as JsonObject
}

for (const driver of await findServerDrivers()) {
  describe(`what delayed events are refused, on ${driver.name}`, { skip: driver.skip }, () => {
    it('too long a delay, too many of them, or none of sense: and nothing is sent at once', async () => {
      const limits = { max_delay: 10 * MINUTE, max_per_user: 2 }
      await using stage = await openStage(driver, { delayed_events: limits })
      const { capabilities } = await ok(stage.server, stage.alice, 'GET', '/capabilities')
      assert.deepEqual((capabilities as JsonObject)['org.matrix.msc4140.delayed_events'], {
        max_delay_ms: 10 * MINUTE,
        max_scheduled: 2,
      })
      const long = await sendLater(stage, 10 * MINUTE + 1)
      assert.deepEqual([long.status, long.json['errcode']], [403, 'M_FORBIDDEN'])
      for (const wrong of ['0', '-1', 'abc', '1.5', '']) {
        assert.equal((await sendLater(stage, wrong)).status, 400, wrong)
      }
      await delay(stage, stage.alice, 5 * MINUTE, { text: 'one' })
      await delayState(stage, stage.alice, { key: 'k', ms: 9 * MINUTE }, { text: 'two' })
      const more = await sendLater(stage, 1_000)
      assert.deepEqual([more.status, more.json['errcode']], [429, 'M_LIMIT_EXCEEDED'])
      const wait = more.json['retry_after_ms'] as number
      assert.ok(wait > 0 && wait <= 5 * MINUTE)
      await delay(stage, stage.bob, 1_000, { text: 'of somebody else' })
      await stage.pass(5 * MINUTE)
      assert.deepEqual(await readTexts(stage), ['of somebody else', 'one'])
      assert.equal((await sendLater(stage, 1_000)).status, 200)
    })

    it('all of them, where the operator wants none', async () => {
      await using stage = await openStage(driver, { delayed_events: { max_delay: 0, max_per_user: 100 } })
      const { status, json } = await sendLater(stage, 1_000)
      assert.deepEqual([status, json['errcode']], [403, 'M_FORBIDDEN'])
      const versions = (await stage.server.request('GET', '/_matrix/client/versions')).json()
      assert.ok(!Object.hasOwn(versions['unstable_features'] as JsonObject, 'org.matrix.msc4140'))
      const { capabilities } = await ok(stage.server, stage.alice, 'GET', '/capabilities')
      assert.ok(!Object.hasOwn(capabilities as JsonObject, 'org.matrix.msc4140.delayed_events'))
      assert.deepEqual(await readTexts(stage), [])
    })

    it('what no event can be, and rooms that one is not in', async () => {
      await using stage = await openStage(driver)
      const put = async (path: string, body: JsonObject, who = stage.alice): Promise<unknown> => {
        const answer = await inRoom(stage, who, 'PUT', `${path}?org.matrix.msc4140.delay=1000`, body)
        return `${answer.status} ${answer.json['errcode'] as string}`
      }
      assert.equal(await put(`/send/${TYPE}/a`, { text: 'x'.repeat(66_000) }), '413 M_TOO_LARGE')
      assert.equal(await put(`/send/${'t'.repeat(300)}/b`, {}), '413 M_TOO_LARGE')
      assert.equal(await put(`/send/${TYPE}/c`, { half: 0.5 }), '400 M_BAD_JSON')
      const carol = await stage.server.register('carol')
      assert.equal(await put(`/send/${TYPE}/d`, {}, carol), '403 M_FORBIDDEN')
      const elsewhere: Stage = { ...stage, roomId: '!nowhere:test.example' }
      assert.equal((await sendLater(elsewhere, 1_000)).status, 404)
    })

    it('what their sender may not do when they are due: they are told why', async () => {
      await using stage = await openStage(driver)
      const { bob } = stage
      const topic = '/state/m.room.topic/?org.matrix.msc4140.delay='
      const { json } = await inRoom(stage, bob, 'PUT', `${topic}${MINUTE}`, { topic: 'x' })
      const id = json['delay_id'] as string
      const now = await ask(stage, bob, 'POST', `/delayed_events/${id}/send`)
      assert.deepEqual([now.status, now.json['errcode']], [403, 'M_FORBIDDEN'])
      assert.equal((await listScheduledOf(stage, bob)).length, 1, 'it may be permitted by then')
      await stage.pass(MINUTE)
      assert.deepEqual(await listScheduledOf(stage, bob), [])
      assert.equal((await errorOf(stage, id))['errcode'], 'M_FORBIDDEN')
      assert.equal((await ask(stage, bob, 'POST', `/delayed_events/${id}/cancel`)).status, 200)
      assert.equal((await ask(stage, bob, 'POST', `/delayed_events/${id}/send`)).status, 409)
    })

    it('and what is permitted by then is sent', async () => {
      await using stage = await openStage(driver)
      const topic = `/state/m.room.topic/?org.matrix.msc4140.delay=${MINUTE}`
      await inRoom(stage, stage.bob, 'PUT', topic, { topic: 'mine' })
      const { json: levels } = await inRoom(stage, stage.alice, 'GET', '/state/m.room.power_levels/')
      const users = { ...(levels['users'] as JsonObject), [stage.bob.userId]: 50 }
      await inRoom(stage, stage.alice, 'PUT', '/state/m.room.power_levels/', { ...levels, users })
      await stage.pass(MINUTE)
      assert.equal((await inRoom(stage, stage.bob, 'GET', '/state/m.room.topic/')).json['topic'], 'mine')
    })

    it('who was locked or suspended meanwhile; of an account that ended there is nothing left', async () => {
      await using stage = await openStage(driver)
      const { hs } = stage.server
      const userId = stage.bob.userId as UserId
      for (const flag of ['locked', 'suspended'] as const) {
        const id = await delay(stage, stage.bob, MINUTE, { text: flag })
        await setStanding(hs, userId, flag, true)
        await stage.pass(MINUTE)
        await setStanding(hs, userId, flag, false)
        assert.equal((await errorOf(stage, id))['errcode'], `M_USER_${flag.toUpperCase()}`)
      }
      await delay(stage, stage.bob, MINUTE, { text: 'ended' })
      await deactivateAccount(hs, userId, false)
      await stage.pass(MINUTE)
      const rows = await hs.db.query('SELECT 1 AS one FROM delayed_events WHERE finalised_ts = 0', [])
      assert.deepEqual([rows, await readTexts(stage)], [[], []])
    })
  })

  describe(`delayed memberships on ${driver.name}`, { skip: driver.skip }, () => {
    it('a leave that is due, and a join after it', async () => {
      await using stage = await openStage(driver)
      const { bob } = stage
      const path = `/state/m.room.member/${encodeURIComponent(bob.userId)}?org.matrix.msc4140.delay=`
      await inRoom(stage, bob, 'PUT', `${path}${MINUTE}`, { membership: 'leave' })
      const { json } = await inRoom(stage, bob, 'PUT', `${path}${2 * MINUTE}`, { membership: 'join' })
      const joined = async (): Promise<unknown> =>
        (await ok(stage.server, bob, 'GET', '/joined_rooms'))['joined_rooms']
      await stage.pass(MINUTE)
      assert.deepEqual(await joined(), [])
      await stage.pass(MINUTE)
      assert.deepEqual(await joined(), [stage.roomId])
      const ended = (await ask(stage, bob, 'GET', `/delayed_events/${json['delay_id'] as string}`)).json
      assert.equal(typeof (ended['finalised'] as JsonObject)['event_id'], 'string')
    })

    it('state that says so already counts as sent', async () => {
      await using stage = await openStage(driver)
      const { json: set } = await inRoom(stage, stage.bob, 'PUT', `/state/${TYPE}/k`, { text: 'same' })
      const id = await delayState(stage, stage.bob, { key: 'k', ms: MINUTE }, { text: 'same' })
      await stage.pass(MINUTE)
      assert.deepEqual(await readTexts(stage), ['same'])
      const { json } = await ask(stage, stage.bob, 'GET', `/delayed_events/${id}`)
      assert.equal((json['finalised'] as JsonObject)['event_id'], set['event_id'])
    })

    it('an invitation that another server takes its time to sign holds up nobody but its sender', async () => {
      await using stage = await openStage(driver)
      const { hs } = stage.server
      const asked = Promise.withResolvers<void>()
      const answer = Promise.withResolvers<EventId>()
      // Stands in for the other server alone: that a request to it takes long.
      const invite = (): Promise<EventId> => {
        asked.resolve()
        return answer.promise
      }
      await hs.delayed[Symbol.asyncDispose]()
      const target = encodeURIComponent('@zoe:elsewhere.example')
      const path = `/state/m.room.member/${target}?org.matrix.msc4140.delay=1000`
      await inRoom(stage, stage.alice, 'PUT', path, { membership: 'invite' })
      await delay(stage, stage.alice, 2_000, { text: 'behind it' })
      await delay(stage, stage.bob, 3_000, { text: 'of somebody else' })
      stage.clock.advance(MINUTE)
      await using sending = createDelayedSending(hs, () => ({ ...hs, joining: { ...hs.joining, invite } }))
      sending.start()
      await asked.promise
      // The other's event is sent although the invitation is not: how long it takes is not asked.
      while ((await readTexts(stage)).length === 0) await hs.clock.sleep(20)
      assert.deepEqual(await readTexts(stage), ['of somebody else'])
      answer.reject(new Error('no connection'))
      assert.equal((await listScheduledOf(stage, stage.alice)).length, 2)
    })
  })
}
