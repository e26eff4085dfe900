import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { clientRoutes } from '../client/routes.ts'
import { storeUpload } from '../media/upload.ts'
import { findServerDrivers, type TestLogin, type TestServer } from '../test-server.ts'
import { loadAdminCommands } from './load-commands.ts'
import { giveCommand } from './test-command.ts'

for (const driver of await findServerDrivers()) {
  describe(`admin commands on ${driver.name}`, { skip: driver.skip }, () => {
    let server: TestServer
    let alice: TestLogin
    let bob: TestLogin
    let roomId: string
    before(async () => {
      server = await driver.start({ endpoints: clientRoutes })
      alice = await server.register('alice')
      bob = await server.register('bob')
      const made = await call(alice, 'POST', '/createRoom', {
        preset: 'public_chat',
        name: 'Whales',
        topic: 'and dolphins',
        room_alias_name: 'whales',
      })
      roomId = made['room_id'] as string
      await call(bob, 'POST', `/join/${encodeURIComponent(roomId)}`, {})
      await say(bob, 'hello')
    })
    after(() => server[Symbol.asyncDispose]())

    async function call(who: TestLogin, method: string, path: string, body: JsonObject): Promise<JsonObject> {
      const answer = await server.request(method, `/_matrix/client/v3${path}`, { token: who.token, body })
      assert.equal(answer.status, 200, JSON.stringify(answer.json()))
      return answer.json()
    }
    let txn = 0
    const say = (who: TestLogin, body: string): Promise<JsonObject> =>
      call(who, 'PUT', `/rooms/${encodeURIComponent(roomId)}/send/m.room.message/t${txn++}`, {
        msgtype: 'm.text',
        body,
      })

    const give = (name: string, input?: JsonObject): Promise<JsonValue> => giveCommand(server.hs, name, input)
    const giveObject = async (name: string, input: JsonObject = {}): Promise<JsonObject> =>
      (await give(name, input)) as JsonObject
    const giveList = async (name: string, input: JsonObject = {}): Promise<JsonObject[]> =>
      (await give(name, input)) as JsonObject[]
    const refused = (promise: Promise<unknown>, errcode: string, sentence: RegExp): Promise<void> =>
      assert.rejects(promise, (error) => {
        assert.ok(error instanceof MatrixError)
        assert.deepEqual([error.errcode, sentence.test(error.message)], [errcode, true], error.message)
        return true
      })

    it('show rooms by id and by alias', async () => {
      const [room] = await giveList('room-list')
      assert.deepEqual(room, {
        room_id: roomId,
        name: 'Whales',
        alias: '#whales:test.example',
        version: '12',
        joined: 2,
        from_here: 2,
      })
      assert.deepEqual(await giveList('room-list', { after: roomId }), [])
      const shown = await giveObject('room-show', { room: '#whales:test.example' })
      assert.deepEqual(
        [shown['room_id'], shown['creator'], shown['topic'], shown['join_rule'], shown['encryption']],
        [roomId, alice.userId, 'and dolphins', 'public', null],
      )
      assert.deepEqual([shown['joined'], shown['aliases']], [2, ['#whales:test.example']])
      const members = await giveList('room-members', { room: roomId })
      assert.deepEqual(
        members.map(({ user_id: userId }) => userId),
        [alice.userId, bob.userId],
      )
      assert.deepEqual(await giveList('room-members', { room: roomId, after: bob.userId }), [])
      assert.deepEqual(await giveList('room-members', { room: roomId, membership: 'ban' }), [])
      await refused(give('room-show', { room: 'whales' }), 'M_INVALID_PARAM', /no room id/)
      await refused(give('room-show', { room: '#none:test.example' }), 'M_NOT_FOUND', /no alias/)
      await refused(give('room-show', { room: '!none:test.example' }), 'M_NOT_FOUND', /does not know/)
    })

    it('show accounts, their devices and their standing', async () => {
      const shown = await giveObject('user-show', { user: 'bob' })
      assert.deepEqual(
        [shown['user_id'], shown['devices'], shown['rooms'], shown['admin'], shown['deactivated']],
        [bob.userId, 1, { join: 1 }, false, null],
      )
      const [device] = await giveList('user-devices', { user: bob.userId })
      assert.equal(device?.['device_id'], bob.deviceId)
      await give('user-set', { user: 'bob', suspended: true })
      assert.equal((await giveObject('user-show', { user: 'bob' }))['suspended'], true)
      await give('user-set', { user: 'bob', suspended: false })
      await refused(give('user-show', { user: 'nobody' }), 'M_NOT_FOUND', /no account/)
      await refused(give('user-show', { user: '@a:elsewhere' }), 'M_INVALID_PARAM', /no account on/)
    })

    it('delete uploads', async () => {
      const upload = { contentType: 'text/plain', filename: 'a.txt' }
      const media = []
      for (const body of ['one', 'two', 'three']) {
        media.push(await uploadFor(server, bob, body, upload))
      }
      assert.equal((await giveObject('stats'))['uploads'], 3)
      const first = await giveObject('media-delete', { media: [media[0]!, 'gone'] })
      assert.deepEqual(first, { deleted: 1, not_found: ['gone'] })
      assert.deepEqual(await give('media-delete', { of: 'bob' }), { deleted: 2 })
      await refused(give('media-delete', { media: ['gone'] }), 'M_NOT_FOUND', /no such upload/)
      await refused(give('media-delete', {}), 'M_INVALID_PARAM', /Say either/)
      await refused(give('media-delete', { media: ['no id'] }), 'M_INVALID_PARAM', /no media id/)
      await refused(give('media-delete', { media: ['mxc://elsewhere/x'] }), 'M_NOT_FOUND', /no such upload/)
    })

    it('take content out of use, list it by its hash, and give it free again', async () => {
      const upload = { contentType: 'text/plain', filename: '' }
      const mxc = await uploadFor(server, bob, 'bad', upload)
      await uploadFor(server, bob, 'worse', upload)
      assert.deepEqual(await give('media-quarantine', { media: [mxc, 'gone'] }), {
        quarantined: 1,
        protected: [],
        not_found: ['gone'],
      })
      const [one, ...others] = await giveList('media-quarantined')
      assert.deepEqual(others, [])
      assert.match(one!['hash'] as string, /^[0-9a-f]{64}$/)
      assert.equal(one!['by'], 'admin token')
      assert.deepEqual(await give('media-quarantine', { of: 'bob' }), { quarantined: 2 })
      assert.equal((await giveList('media-quarantined')).length, 2)
      const left = { released: 2, not_found: ['gone'] }
      const hashes = (await giveList('media-quarantined')).map(({ hash }) => hash as string)
      assert.deepEqual(await give('media-release', { media: [mxc, 'gone', hashes.at(-1)!, hashes[0]!] }), {
        ...left,
        not_found: ['gone', ...hashes.filter((hash) => hash === one!['hash'])],
      })
      await refused(give('media-release', { media: [mxc] }), 'M_NOT_FOUND', /Not out of use/)
      await refused(give('media-quarantine', { media: ['gone'] }), 'M_NOT_FOUND', /no such media/)
      await refused(give('media-quarantine', {}), 'M_INVALID_PARAM', /Say either/)
      await give('media-delete', { of: 'bob' })
    })

    it('show figures', async () => {
      const stats = await giveObject('stats')
      assert.deepEqual([stats['accounts'], stats['devices'], stats['rooms']], [2, 2, 1])
      assert.ok(Number(stats['database_bytes']) > 10_000)
      assert.deepEqual(await giveList('appservice-list'), [])
    })

    it('begin work that takes long, and show how far it is', async () => {
      const redacting = await giveObject('user-redact', { user: bob.userId, room: roomId, by: 'alice' })
      assert.deepEqual([redacting['kind'], redacting['finished']], ['redact_user', null])
      await server.hs.jobs.idle()
      const shown = await giveObject('job-show', { job: redacting['job']! })
      assert.deepEqual(
        [shown['state'], shown['progress']],
        ['done', { ...(shown['progress'] as object), redacted: 1 }],
      )
      await give('room-collect-state', { room: roomId })
      await refused(
        give('room-purge', { room: roomId }),
        'M_FORBIDDEN',
        /2 users of this server are in the room/,
      )
      const purging = await giveObject('room-purge', { room: roomId, force: true })
      await server.hs.jobs.idle()
      assert.equal((await giveObject('job-show', { job: purging['job']! }))['state'], 'done')
      assert.deepEqual(await giveList('room-list'), [])
      assert.deepEqual(await giveList('job-list'), [])
      const kinds = (await giveList('job-list', { finished: true })).map(({ kind }) => kind as string)
      assert.deepEqual(kinds.toSorted(), ['collect_state', 'purge_room', 'redact_user'])
      await refused(give('job-show', { job: 'none' }), 'M_NOT_FOUND', /no job/)
    })

    it('erase with an account what the person left', async () => {
      const made = await call(bob, 'POST', '/createRoom', { preset: 'public_chat', name: 'Secrets' })
      roomId = made['room_id'] as string
      await call(alice, 'POST', `/join/${encodeURIComponent(roomId)}`, {})
      const { event_id: eventId } = await say(bob, 'what I leave')
      await uploadFor(server, bob, 'a picture', { contentType: 'image/png', filename: 'x.png' })
      await give('user-deactivate', { user: 'bob', erase: true })
      await Promise.all([server.hs.jobs.idle(), server.hs.accounts.jobs.idle()])
      const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/event/${encodeURIComponent(eventId as string)}`
      const seen = (await server.request('GET', path, { token: alice.token })).json()
      assert.deepEqual([seen['sender'], seen['content']], [bob.userId, {}])
      const shown = await giveObject('user-show', { user: 'bob' })
      assert.deepEqual([shown['erased'], shown['display_name'], shown['devices']], [true, null, 0])
      assert.equal((await giveObject('stats'))['uploads'], 0)
    })
  })
}

it('every command says what it is for, and what each of its words and options means', async () => {
  const commands = await loadAdminCommands()
  assert.ok(commands.size >= 20)
  for (const [name, { summary, usage, input }] of commands) {
    assert.match(summary, /^[A-Z].*[^.]$/, name)
    const properties = (input as { properties: Record<string, { description?: string }> }).properties
    for (const [key, { description }] of Object.entries(properties)) {
      assert.ok(description !== undefined && description.length > 3, `${name} ${key}`)
    }
    for (const [, word] of usage.matchAll(/(\w+)…?[>\]]/g)) assert.ok(word! in properties, `${name} ${word}`)
  }
})

/** Answers the id. */
async function uploadFor(
  { hs }: TestServer,
  who: TestLogin,
  body: string,
  about: { contentType: string; filename: string },
): Promise<string> {
  return await storeUpload(hs, who.userId as UserId, { source: Readable.from([Buffer.from(body)]), ...about })
}
