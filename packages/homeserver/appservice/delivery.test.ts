import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { findServerDrivers } from '../test-server.ts'
import { listAppserviceStates } from './appservices.ts'
import { bodiesOf, room, startStage, V3, type Stage } from './test-stage.ts'

for (const driver of await findServerDrivers()) {
  describe(`what appservices are sent, on ${driver.name}`, { skip: driver.skip }, () => {
    let stage: Stage
    before(async () => {
      stage = await startStage(driver)
    })
    after(() => stage[Symbol.asyncDispose]())

    it('sends the events of a room from the join of a namespaced user to its leave, and no others', async () => {
      const { irc } = stage
      const other = await stage.makeRoom()
      const roomId = await stage.makeRoom()
      await stage.say(roomId, 'before')
      await stage.say(other, 'elsewhere')
      const ghost = await stage.joinGhost('bob', roomId)
      await stage.say(roomId, 'one')
      await stage.callAs(ghost, 'PUT', `${room(roomId)}/send/m.room.message/g1`, {
        msgtype: 'm.text',
        body: 'own',
      })
      await stage.say(roomId, 'two')
      await stage.callAs(ghost, 'POST', `${room(roomId)}/leave`, {})
      await stage.say(roomId, 'after')
      await stage.caughtUp()
      await stage.joinGhost('last', other)
      await irc.until(() => irc.events().some(({ state_key: key }) => key === '@_irc_last:test.example'))
      const events = irc.events().filter(({ room_id: id }) => id === roomId)
      assert.deepEqual(bodiesOf(events), ['one', 'own', 'two'])
      const members = events.filter(({ type }) => type === 'm.room.member')
      assert.deepEqual(
        members.map(({ state_key: key, content }) => [key, (content as JsonObject)['membership']]),
        [
          [ghost, 'join'],
          [ghost, 'leave'],
        ],
      )
      assert.equal(
        ((members[1]!['unsigned'] as JsonObject)['prev_content'] as JsonObject)['membership'],
        'join',
      )
      for (const { unsigned, event_id: id, sender } of events) {
        assert.equal(typeof (unsigned as JsonObject)['age'], 'number')
        assert.match(id as string, /^\$/)
        assert.match(sender as string, /^@/)
      }
      const [request] = irc.requests
      assert.equal(request?.method, 'PUT')
      assert.match(request.url, /^\/_matrix\/app\/v1\/transactions\/[\w.-]+$/)
      assert.equal(request.authorization, 'Bearer hs-token-of-irc-0123456789')
    })

    it('tells of invites to its users, and of rooms with an alias in its namespace', async () => {
      const { irc } = stage
      const roomId = await stage.makeRoom({ invite: ['@_irc_invited:test.example'] })
      await irc.until(() => irc.events().some(({ state_key: key }) => key === '@_irc_invited:test.example'))
      await stage.say(roomId, 'not for it')
      const made = await stage.callAs('@_irc_bot:test.example', 'POST', `${V3}/createRoom`, {
        room_alias_name: '_irc_channel',
        preset: 'public_chat',
      })
      await stage.call('POST', `${V3}/join/${encodeURIComponent('#_irc_channel:test.example')}`, {})
      await stage.callAs('@_irc_bot:test.example', 'POST', `${room(made['room_id'] as string)}/leave`, {})
      await stage.say(made['room_id'] as string, 'by alias')
      await irc.until(() => bodiesOf(irc.events()).includes('by alias'))
      assert.equal(bodiesOf(irc.events()).includes('not for it'), false)
    })

    it('repeats a transaction unchanged under its id until it is answered, in order, then what gathered', async () => {
      const { irc } = stage
      const roomId = await stage.makeRoom()
      await stage.joinGhost('patient', roomId)
      const start = irc.requests.length
      let failures = 0
      irc.answer = () => {
        failures++
        return failures % 2 === 0 ? 'hang up' : { status: 503 }
      }
      await stage.say(roomId, 'm0')
      await irc.until(() => failures >= 3)
      const texts = Array.from({ length: 251 }, (_, i) => `m${i}`)
      for (const text of texts.slice(1, 130)) await stage.say(roomId, text)
      const [state] = listAppserviceStates(stage.server.hs.appservices)
      assert.equal(state?.state, 'down')
      assert.match(state.lastError ?? '', /status 503|hang up|ECONNRESET/)
      await stage.restart()
      for (const text of texts.slice(130)) await stage.say(roomId, text)
      irc.answer = () => ({ status: 200 })
      await irc.until(() => bodiesOf(irc.events()).includes('m250'))
      const got = bodiesOf(irc.events().filter(({ room_id: id }) => id === roomId))
      assert.deepEqual(got, texts)
      const byTxn = new Map<string, Set<string>>()
      const order: string[] = []
      for (const { url, body } of irc.requests.slice(start)) {
        byTxn.set(url, (byTxn.get(url) ?? new Set()).add(body))
        if (order.at(-1) !== url) order.push(url)
        assert.ok((JSON.parse(body) as { events: [] }).events.length <= 100)
      }
      for (const [url, bodies] of byTxn) assert.equal(bodies.size, 1, `${url} came with different contents`)
      assert.equal(order.length, byTxn.size, 'a transaction came again after a later one')
      assert.ok(order.length <= 20, `${order.length} transactions for 250 events that waited`)
      assert.equal(listAppserviceStates(stage.server.hs.appservices)[0]?.state, 'up')
    })

    it('goes on at once when an appservice that was away asks for something, as one does that starts', async () => {
      let nowMs = systemClock.monotonic()
      await using away = await startStage(
        driver,
        {},
        {
          ...systemClock,
          monotonic: () => nowMs,
          // Pauses between attempts do not end by themselves.
          sleep: (ms, signal) => systemClock.sleep(ms >= 500 ? 3_600_000 : ms, signal),
        },
      )
      const { irc } = away
      const roomId = await away.makeRoom()
      const ghost = await away.joinGhost('late', roomId)
      const isDown = (): boolean => listAppserviceStates(away.server.hs.appservices)[0]?.state === 'down'
      irc.answer = () => 'hang up'
      await away.say(roomId, 'kept')
      while (!isDown()) await systemClock.sleep(20)
      irc.answer = () => ({ status: 200 })
      const before = irc.requests.length
      await away.callAs(ghost, 'GET', `${V3}/account/whoami`)
      assert.equal(irc.requests.length, before, 'it was sent something a moment ago')
      nowMs += 3_000
      while (!bodiesOf(irc.events()).includes('kept')) {
        await away.callAs(ghost, 'GET', `${V3}/account/whoami`)
        await systemClock.sleep(20)
      }
      assert.equal(isDown(), false)
    })

    it('sends the redacted form of what was redacted while it waited', async () => {
      const { irc } = stage
      const roomId = await stage.makeRoom()
      await stage.joinGhost('late', roomId)
      let isDown = true
      irc.answer = () => (isDown ? { status: 500 } : { status: 200 })
      await stage.say(roomId, 'opens the transaction')
      const start = irc.requests.length
      await irc.until(() => irc.requests.length > start + 1)
      const eventId = await stage.say(roomId, 'regretted')
      await stage.call('PUT', `${room(roomId)}/redact/${encodeURIComponent(eventId)}/r1`, {})
      isDown = false
      await irc.until(() =>
        irc.events().some(({ type, room_id: id }) => type === 'm.room.redaction' && id === roomId),
      )
      const event = irc.events().find(({ event_id: id }) => id === eventId)
      assert.deepEqual(event?.['content'], {})
      assert.ok(((event['unsigned'] as JsonObject)['redacted_because'] as JsonObject)['event_id'])
      irc.answer = () => ({ status: 200 })
    })

    it('asks it for unknown users and aliases of its namespaces, and nobody for others', async () => {
      const { irc } = stage
      irc.answer = async ({ method, url }) => {
        if (method === 'GET' && url.endsWith(encodeURIComponent('#_irc_new:test.example'))) {
          await stage.callAs('@_irc_bot:test.example', 'POST', `${V3}/createRoom`, {
            room_alias_name: '_irc_new',
            preset: 'public_chat',
          })
          return { status: 200 }
        }
        return method === 'GET' ? { status: 404, body: '{"errcode":"M_NOT_FOUND"}' } : { status: 200 }
      }
      const joined = await stage.call(
        'POST',
        `${V3}/join/${encodeURIComponent('#_irc_new:test.example')}`,
        {},
      )
      assert.match(joined['room_id'] as string, /^!/)
      for (const alias of ['#_irc_missing:test.example', '#nobodys:test.example']) {
        const url = `${V3}/join/${encodeURIComponent(alias)}`
        const answer = await stage.server.request('POST', url, { token: stage.alice, body: {} })
        assert.equal(answer.status, 404)
      }
      const roomId = await stage.makeRoom()
      await stage.call('POST', `${room(roomId)}/invite`, { user_id: '@_irc_queried:test.example' })
      const asked = irc.requests
        .filter(({ method }) => method === 'GET')
        .map(({ url }) => decodeURIComponent(url))
      assert.deepEqual(
        asked.filter((url) => !url.includes('_irc_invited')),
        [
          '/_matrix/app/v1/rooms/#_irc_new:test.example',
          '/_matrix/app/v1/rooms/#_irc_missing:test.example',
          '/_matrix/app/v1/users/@_irc_queried:test.example',
        ],
      )
      irc.answer = () => ({ status: 200 })
    })

    it('speaks to appservices of before the version in the path', async () => {
      const { irc } = stage
      irc.answer = ({ url }) =>
        url.startsWith('/_matrix/app/v1') ? { status: 404, body: 'no such page' } : { status: 200 }
      const roomId = await stage.makeRoom()
      await stage.joinGhost('old', roomId)
      await stage.say(roomId, 'hello, old one')
      await irc.until(() => bodiesOf(irc.events()).includes('hello, old one'))
      const { url } = irc.requests.at(-1)!
      assert.match(url, /^\/transactions\/[\w.-]+\?access_token=hs-token-of-irc-0123456789$/)
      irc.answer = () => ({ status: 200 })
    })

    it('answers a ping with how long it took, or with what went wrong', async () => {
      const { irc, server } = stage
      const token = 'as-token-of-irc-0123456789'
      const ping = async (id: string, as: string, body: JsonObject = {}) => {
        const url = `/_matrix/client/v1/appservice/${id}/ping`
        const answer = await server.request('POST', url, { token: as, body })
        return { status: answer.status, json: answer.json() }
      }
      const { status, json } = await ping('irc', token, { transaction_id: 'meow' })
      assert.equal(status, 200)
      assert.equal(typeof json['duration_ms'], 'number')
      const { method, url, body, authorization } = irc.requests.at(-1)!
      assert.deepEqual([method, url, body], ['POST', '/_matrix/app/v1/ping', '{"transaction_id":"meow"}'])
      assert.equal(authorization, 'Bearer hs-token-of-irc-0123456789')
      irc.answer = () => ({ status: 403, body: '{"errcode":"M_FORBIDDEN"}' })
      const forbidden = await ping('irc', token)
      assert.equal(forbidden.status, 502)
      assert.deepEqual(
        { ...forbidden.json, error: '' },
        {
          errcode: 'M_BAD_STATUS',
          error: '',
          status: 403,
          body: '{"errcode":"M_FORBIDDEN"}',
        },
      )
      irc.answer = () => 'hang up'
      assert.equal((await ping('irc', token)).json['errcode'], 'M_CONNECTION_FAILED')
      irc.answer = () => ({ status: 200 })
      for (const [id, as] of [
        ['other', token],
        ['irc', stage.alice],
      ] as const) {
        const refused = await ping(id, as)
        assert.deepEqual([refused.status, refused.json['errcode']], [403, 'M_FORBIDDEN'])
      }
    })

    it('notices at once that a room got an alias of its namespace, and lost it', async () => {
      const { irc } = stage
      const roomId = await stage.makeRoom()
      await stage.say(roomId, 'nameless')
      await stage.caughtUp()
      const alias = `${V3}/directory/room/${encodeURIComponent('#_irc_named:test.example')}`
      await stage.callAs('@_irc_bot:test.example', 'PUT', alias, { room_id: roomId })
      await stage.say(roomId, 'named')
      await irc.until(() => bodiesOf(irc.events()).includes('named'))
      await stage.callAs('@_irc_bot:test.example', 'DELETE', alias)
      await stage.say(roomId, 'nameless again')
      await stage.joinGhost('witness', roomId)
      await irc.until(() => irc.events().some(({ state_key: key }) => key === '@_irc_witness:test.example'))
      assert.equal(bodiesOf(irc.events()).filter((body) => String(body).includes('nameless')).length, 0)
    })

    it('wants the rooms of whom a changed registration names, from the next start on', async () => {
      const { irc } = stage
      const roomId = await stage.makeRoom()
      await stage.say(roomId, 'unheard')
      await stage.caughtUp()
      await stage.restart({ namespaces: { users: [{ regex: '@alice:.*' }] } })
      await stage.say(roomId, 'heard')
      await irc.until(() => bodiesOf(irc.events()).includes('heard'))
      await stage.restart({ namespaces: { users: [], rooms: [{ regex: roomId }] } })
      const other = await stage.makeRoom()
      await stage.say(other, 'unheard again')
      await stage.say(roomId, 'heard by its id')
      await irc.until(() => bodiesOf(irc.events()).includes('heard by its id'))
      const heard = bodiesOf(irc.events()).filter((body) => String(body).includes('heard'))
      assert.deepEqual(heard, ['heard', 'heard by its id'])
    })

    it('sends no ephemeral data to who did not ask', () => {
      assert.deepEqual(stage.irc.ephemeral(), [])
    })
  })

  describe(`ephemeral data for appservices, on ${driver.name}`, { skip: driver.skip }, () => {
    let stage: Stage
    before(async () => {
      stage = await startStage(driver, { receive_ephemeral: true })
    })
    after(() => stage[Symbol.asyncDispose]())

    it('tells of typing, receipts and presence in rooms of its users, and of private receipts of its users only', async () => {
      const { irc } = stage
      const [roomId, elsewhere] = [await stage.makeRoom(), await stage.makeRoom()]
      const ghost = await stage.joinGhost('bob', roomId)
      const eventId = await stage.say(roomId, 'read this')
      await irc.until(() => bodiesOf(irc.events()).includes('read this'))
      const alice = '@alice:test.example'
      const typing = { typing: true, timeout: 120_000 }
      for (const id of [elsewhere, roomId]) {
        await stage.call('PUT', `${room(id)}/typing/${encodeURIComponent(alice)}`, typing)
      }
      const read = (type: string) => `${room(roomId)}/receipt/${type}/${encodeURIComponent(eventId)}`
      await stage.call('POST', read('m.read.private'), {})
      await stage.callAs(ghost, 'POST', read('m.read.private'), {})
      await stage.call('POST', read('m.read'), {})
      await stage.call('PUT', `${V3}/presence/${encodeURIComponent(alice)}/status`, {
        presence: 'unavailable',
      })
      const of = (type: string) => irc.ephemeral().filter((event) => event['type'] === type)
      const isComplete = () =>
        of('m.typing').length > 0 &&
        of('m.receipt').length > 1 &&
        of('m.presence').some(({ content }) => (content as JsonObject)['presence'] === 'unavailable')
      await irc.until(isComplete)
      assert.deepEqual(of('m.typing'), [
        { type: 'm.typing', room_id: roomId, content: { user_ids: [alice] } },
      ])
      const readers = of('m.receipt').map(({ content, room_id: id }) => {
        assert.equal(id, roomId)
        const [[type, users]] = Object.entries((content as Record<string, JsonObject>)[eventId]!) as [
          [string, object],
        ]
        return [type, ...Object.keys(users)]
      })
      assert.deepEqual(readers, [
        ['m.read.private', ghost],
        ['m.read', alice],
      ])
      assert.ok(of('m.presence').every(({ sender }) => sender === alice || sender === ghost))
    })
  })
}
