import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { ok } from '../test-call.ts'
import { findServerDrivers } from '../test-server.ts'
import {
  ask,
  delay,
  delayState,
  inRoom,
  listScheduledOf,
  openStage,
  readNotes,
  readTexts,
  TYPE,
} from './test-delayed.ts'

const MINUTE = 60_000

for (const driver of await findServerDrivers()) {
  describe(`delayed events on ${driver.name}`, { skip: driver.skip }, () => {
    it('are sent when their time has come, in order, and not before', async () => {
      await using stage = await openStage(driver)
      const { alice, bob, roomId } = stage
      const third = await delay(stage, alice, 30 * MINUTE, { text: 'third' })
      const first = await delay(stage, alice, 10 * MINUTE, { text: 'first' })
      const second = await delay(stage, bob, 20 * MINUTE, { text: 'second' })
      const [soon, later] = await listScheduledOf(stage, alice)
      assert.deepEqual([soon!['delay_id'], later!['delay_id']], [first, third])
      const { delayed_since_ts: since, running_since: same, ...rest } = soon!
      assert.ok(typeof since === 'number' && since === same && since <= stage.clock.now())
      const about = { delay_id: first, room_id: roomId, type: TYPE, content: { text: 'first' } }
      assert.deepEqual(rest, { ...about, delay: 10 * MINUTE, delay_ms: 10 * MINUTE })
      assert.equal((await listScheduledOf(stage, bob)).length, 1)
      await stage.pass(5 * MINUTE)
      assert.deepEqual(await readTexts(stage), [])
      await stage.pass(5 * MINUTE)
      assert.deepEqual(await readTexts(stage), ['first'])
      await stage.pass(20 * MINUTE)
      assert.deepEqual(await readTexts(stage), ['first', 'second', 'third'])
      assert.equal(stage.server.hs.delayed.figures.sent, 3)
      assert.deepEqual(await listScheduledOf(stage, alice), [])
      const notes = await readNotes(stage, alice)
      assert.ok((notes[0]!['origin_server_ts'] as number) >= since + 10 * MINUTE)
      const { json } = await ask(stage, bob, 'GET', `/delayed_events/${second}`)
      const { finalised_ts: ended, ...finalised } = json['finalised'] as JsonObject
      assert.deepEqual(finalised, { event_id: notes[1]!['event_id'] })
      assert.ok((ended as number) >= since + 20 * MINUTE)
      assert.equal((await ask(stage, alice, 'GET', `/delayed_events/${second}`)).status, 404)
    })

    it('name their delay id to their sender, and to nobody else', async () => {
      await using stage = await openStage(driver)
      const id = await delay(stage, stage.alice, MINUTE, { text: 'mine' })
      await stage.pass(MINUTE)
      await stage.restart()
      const idOf = ({ unsigned }: JsonObject): unknown =>
        (unsigned as JsonObject)['org.matrix.msc4140.delay_id']
      const [mine] = await readNotes(stage, stage.alice)
      const [theirs] = await readNotes(stage, stage.bob)
      assert.deepEqual([idOf(mine!), idOf(theirs!)], [id, undefined])
      for (const [who, expected] of [
        [stage.alice, true],
        [stage.bob, false],
      ] as const) {
        const synced = await ok(stage.server, who, 'GET', '/sync?timeout=0')
        assert.equal(JSON.stringify(synced).includes(id), expected)
      }
    })

    it('are scheduled once however often they are asked for, and not mixed up with what is sent at once', async () => {
      await using stage = await openStage(driver)
      const path = `/send/${TYPE}/same`
      const delayed = `${path}?org.matrix.msc4140.delay=${MINUTE}`
      const { json: first } = await inRoom(stage, stage.alice, 'PUT', delayed, { text: 'one' })
      const { json: again } = await inRoom(stage, stage.alice, 'PUT', delayed)
      await stage.restart()
      const { json: later } = await inRoom(stage, stage.alice, 'PUT', delayed, { text: 'two' })
      assert.ok(typeof first['delay_id'] === 'string')
      assert.deepEqual([again, later], [first, first])
      const { json: sent } = await inRoom(stage, stage.alice, 'PUT', path, { text: 'now' })
      assert.ok(typeof sent['event_id'] === 'string')
      assert.equal((await inRoom(stage, stage.alice, 'PUT', `/send/${TYPE}/other`)).status, 400)
      await stage.pass(MINUTE)
      assert.deepEqual(await readTexts(stage), ['now', 'one'])
    })

    it('may be state, which is sent whatever was set meanwhile: a call’s end is scheduled before its beginning', async () => {
      await using stage = await openStage(driver)
      await delayState(stage, stage.alice, { key: 'k', ms: MINUTE }, { in: 'no call' })
      const [scheduled] = await listScheduledOf(stage, stage.alice)
      assert.equal(scheduled!['state_key'], 'k')
      await inRoom(stage, stage.alice, 'PUT', `/state/${TYPE}/k`, { in: 'a call' })
      assert.equal((await listScheduledOf(stage, stage.alice)).length, 1)
      const read = async (): Promise<JsonObject> =>
        (await inRoom(stage, stage.bob, 'GET', `/state/${TYPE}/k`)).json
      assert.deepEqual(await read(), { in: 'a call' })
      await stage.pass(MINUTE)
      assert.deepEqual(await read(), { in: 'no call' })
    })

    it('are scheduled by the proposal’s newer way as well', async () => {
      await using stage = await openStage(driver)
      const put = (path: string, body: JsonObject) =>
        ask(
          stage,
          stage.alice,
          'PUT',
          `/rooms/${encodeURIComponent(stage.roomId)}/delayed_event/${path}`,
          body,
        )
      const state = { delay_ms: MINUTE, state_key: 'k', content: { text: 'state' } }
      const { json } = await put(`${TYPE}/a`, state)
      assert.deepEqual((await put(`${TYPE}/a`, state)).json, json)
      assert.equal(
        (await put(`${TYPE}/b`, { delay_ms: 2 * MINUTE, content: { text: 'message' } })).status,
        200,
      )
      for (const wrong of [{ content: {} }, { delay_ms: 0, content: {} }, { delay_ms: MINUTE }]) {
        assert.equal((await put(`${TYPE}/c`, wrong)).status, 400)
      }
      await stage.pass(2 * MINUTE)
      const notes = await readNotes(stage, stage.bob)
      assert.deepEqual(
        notes.map(({ state_key: key, content }) => [key, content]),
        [
          ['k', { text: 'state' }],
          [undefined, { text: 'message' }],
        ],
      )
    })

    it('are put off by a restart, as often as it is asked for', async () => {
      await using stage = await openStage(driver)
      const id = await delay(stage, stage.alice, 10 * MINUTE, { text: 'left' })
      for (let heartbeat = 0; heartbeat < 3; heartbeat++) {
        await stage.pass(6 * MINUTE)
        assert.deepEqual((await ask(stage, stage.alice, 'POST', `/delayed_events/${id}/restart`)).json, {})
      }
      await stage.pass(9 * MINUTE)
      assert.deepEqual(await readTexts(stage), [])
      await stage.pass(MINUTE)
      assert.deepEqual(await readTexts(stage), ['left'])
      const gone = await ask(stage, stage.alice, 'POST', `/delayed_events/${id}/restart`)
      assert.deepEqual([gone.status, gone.json['errcode']], [409, 'M_NOT_FOUND'])
    })

    it('are cancelled for good', async () => {
      await using stage = await openStage(driver)
      const id = await delay(stage, stage.alice, MINUTE, { text: 'never' })
      const post = (action: string, who = stage.alice as typeof stage.alice | undefined) =>
        ask(stage, who, 'POST', `/delayed_events/${id}/${action}`)
      assert.equal((await post('cancel', stage.bob)).status, 404)
      assert.equal((await post('cancel', undefined)).status, 200)
      assert.equal((await post('cancel')).status, 200)
      for (const action of ['send', 'restart']) assert.equal((await post(action)).status, 409)
      const { json } = await ask(stage, stage.alice, 'GET', `/delayed_events/${id}`)
      assert.deepEqual(Object.keys(json['finalised'] as JsonObject), ['finalised_ts'])
      await stage.pass(10 * MINUTE)
      assert.deepEqual(await readTexts(stage), [])
    })

    it('are sent at once by request, and once', async () => {
      await using stage = await openStage(driver)
      const id = await delay(stage, stage.alice, MINUTE, { text: 'now' })
      const post = (action: string) => ask(stage, undefined, 'POST', `/delayed_events/${id}/${action}`)
      const answers = await Promise.all([post('send'), post('send'), post('send')])
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 200, 200],
      )
      assert.equal((await post('cancel')).status, 409)
      await stage.pass(10 * MINUTE)
      assert.deepEqual(await readTexts(stage), ['now'])
    })

    it('take the older way to say what is to be done with them', async () => {
      await using stage = await openStage(driver)
      const id = await delay(stage, stage.alice, MINUTE, { text: 'now' })
      const post = (body: JsonObject) => ask(stage, stage.alice, 'POST', `/delayed_events/${id}`, body)
      assert.equal((await post({})).status, 400)
      assert.equal((await post({ action: 'oops' })).status, 400)
      assert.equal((await ask(stage, undefined, 'POST', `/delayed_events/${id}/oops`)).status, 404)
      assert.equal((await post({ action: 'restart' })).status, 200)
      assert.equal((await post({ action: 'send' })).status, 200)
      assert.deepEqual(await readTexts(stage), ['now'])
      for (const action of ['send', 'cancel', 'restart']) {
        const unknown = await ask(stage, undefined, 'POST', `/delayed_events/abc/${action}`)
        assert.deepEqual([unknown.status, unknown.json['errcode']], [404, 'M_NOT_FOUND'])
      }
    })

    it('that were due while the server was down are sent when it is back, once and in order', async () => {
      await using stage = await openStage(driver)
      const [first, second] = [5, 2].map((minutes) => ({ ms: minutes * MINUTE, text: `after ${minutes}` }))
      await delay(stage, stage.alice, first!.ms, { text: first!.text })
      await delay(stage, stage.bob, second!.ms, { text: second!.text })
      await delayState(stage, stage.alice, { key: 'k', ms: 9 * MINUTE }, { text: 'after 9' })
      const { server } = stage
      // Nobody looks any more; the clock goes on.
      await server.hs.delayed[Symbol.asyncDispose]()
      stage.clock.advance(6 * MINUTE)
      await stage.restart()
      assert.deepEqual(await readTexts(stage), ['after 2', 'after 5'])
      await stage.restart()
      await stage.pass(3 * MINUTE)
      assert.deepEqual(await readTexts(stage), ['after 2', 'after 5', 'after 9'])
    })

    it('go with the event when it is redacted', async () => {
      await using stage = await openStage(driver)
      const id = await delay(stage, stage.alice, MINUTE, { text: 'secret' })
      await stage.pass(MINUTE)
      const [note] = await readNotes(stage, stage.alice)
      const redact = `/redact/${encodeURIComponent(note!['event_id'] as string)}/r`
      assert.equal((await inRoom(stage, stage.alice, 'PUT', redact, {})).status, 200)
      assert.equal((await ask(stage, stage.alice, 'GET', `/delayed_events/${id}`)).status, 404)
    })
  })
}
