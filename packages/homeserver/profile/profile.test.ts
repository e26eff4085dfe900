import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { accountRoutes } from '../client/account-routes.ts'
import { roomRoutes } from '../client/room-routes.ts'
import type { DispatchResponse } from '../http/dispatch.ts'
import { findServerDrivers, type TestLogin, type TestServer } from '../test-server.ts'
import { deactivateAccount } from '../accounts/deactivate.ts'

const V3 = '/_matrix/client/v3'
const endpoints = [...accountRoutes, ...roomRoutes]

const refused = (answer: DispatchResponse, status: number, errcode: string): void => {
  assert.deepEqual([answer.status, answer.json()['errcode']], [status, errcode])
}

/** The membership of a user as somebody in the room sees it. */
async function memberIn(
  server: TestServer,
  room: string,
  userId: string,
  token: string,
): Promise<JsonObject> {
  const answer = await server.request(
    'GET',
    `${V3}/rooms/${encodeURIComponent(room)}/state/m.room.member/${userId}`,
    {
      token,
    },
  )
  return answer.json()
}

async function createRoom(server: TestServer, token: string, body: JsonObject = {}): Promise<string> {
  const answer = await server.request('POST', `${V3}/createRoom`, {
    token,
    body: { preset: 'public_chat', ...body },
  })
  assert.equal(answer.status, 200, JSON.stringify(answer.json()))
  return answer.json()['room_id'] as string
}

for (const driver of await findServerDrivers()) {
  describe(`profiles on ${driver.name}`, { skip: driver.skip }, () => {
    let server: TestServer
    let alice: TestLogin
    before(async () => {
      server = await driver.start({ endpoints })
      alice = await server.register('alice')
    })
    after(() => server[Symbol.asyncDispose]())

    const put = (who: TestLogin, field: string, body: JsonObject, query = '') =>
      server.request('PUT', `${V3}/profile/${who.userId}/${field}${query}`, { token: who.token, body })
    const remove = (who: TestLogin, field: string) =>
      server.request('DELETE', `${V3}/profile/${who.userId}/${field}`, { token: who.token })
    const show = async (userId: string): Promise<JsonObject> =>
      (await server.request('GET', `${V3}/profile/${userId}`)).json()
    const idle = () => server.hs.accounts.jobs.idle()

    it('begin with the name that was chosen, are set and read by anybody', async () => {
      assert.deepEqual(await show(alice.userId), { displayname: 'alice' })
      assert.equal((await put(alice, 'avatar_url', { avatar_url: 'mxc://test.example/a' })).status, 200)
      const own = { 'org.example.likes': ['tea', { milk: 1.5 }, null] }
      assert.equal((await put(alice, 'org.example.likes', own)).status, 200)
      assert.equal((await put(alice, 'm.tz', { 'm.tz': 'Europe/Berlin' })).status, 200)
      assert.deepEqual(await show(alice.userId), {
        displayname: 'alice',
        avatar_url: 'mxc://test.example/a',
        'm.tz': 'Europe/Berlin',
        ...own,
      })
      const field = await server.request('GET', `${V3}/profile/${alice.userId}/m.tz`)
      assert.deepEqual(field.json(), { 'm.tz': 'Europe/Berlin' })
      for (const name of ['m.tz', 'org.example.likes', 'avatar_url', 'org.example.never']) {
        assert.equal((await remove(alice, name)).status, 200)
      }
      refused(await server.request('GET', `${V3}/profile/${alice.userId}/m.tz`), 404, 'M_NOT_FOUND')
      refused(await server.request('GET', `${V3}/profile/@nobody:test.example`), 404, 'M_NOT_FOUND')
      refused(await server.request('GET', `${V3}/profile/nobody`), 400, 'M_INVALID_PARAM')
    })
    it('tell an empty name or picture apart from a field or a user that is not there', async () => {
      const ask = (userId: string, field: string) => server.request('GET', `${V3}/profile/${userId}/${field}`)
      const bare = await server.register('bare')
      assert.equal((await remove(bare, 'displayname')).status, 200)
      for (const field of ['displayname', 'avatar_url']) {
        const answer = await ask(bare.userId, field)
        assert.deepEqual([answer.status, answer.json()], [200, {}], field)
        refused(await ask('@nobody:test.example', field), 404, 'M_NOT_FOUND')
      }
      refused(await ask(bare.userId, 'm.tz'), 404, 'M_NOT_FOUND')
    })
    it('refuse bad names, values, sizes and other people', async () => {
      refused(await put(alice, 'pronouns', { pronouns: 'x' }), 400, 'M_INVALID_PARAM')
      refused(await put(alice, 'Org.Example', { 'Org.Example': 'x' }), 400, 'M_INVALID_PARAM')
      refused(await put(alice, `org.${'x'.repeat(300)}`, {}), 400, 'M_KEY_TOO_LARGE')
      refused(await put(alice, 'm.tz', { other: 'x' }), 400, 'M_MISSING_PARAM')
      refused(await put(alice, 'm.tz', { 'm.tz': 5 }), 400, 'M_INVALID_PARAM')
      refused(await put(alice, '__proto__', { a: 1 }), 400, 'M_INVALID_PARAM')
      refused(await put(alice, 'displayname', { displayname: 7 }), 400, 'M_INVALID_PARAM')
      refused(await put(alice, 'displayname', { displayname: 'x'.repeat(257) }), 400, 'M_INVALID_PARAM')
      refused(await put(alice, 'm.tz', [] as never), 400, 'M_BAD_JSON')
      refused(await put(alice, 'm.tz', { 'm.tz': 'x' }, '?propagate=maybe'), 400, 'M_INVALID_PARAM')
      const bob = await server.register('bob')
      const foreign = { ...bob, userId: alice.userId }
      refused(await put(foreign, 'displayname', { displayname: 'x' }), 403, 'M_FORBIDDEN')
      refused(await remove(foreign, 'displayname'), 403, 'M_FORBIDDEN')
      assert.deepEqual(await show(alice.userId), { displayname: 'alice' })
    })
    it('stay under 64 KiB, also when fields are set at the same time', async () => {
      const big = await server.register('big')
      const fields = ['org.a.a', 'org.a.b', 'org.a.c', 'org.a.d']
      const answers = await Promise.all(fields.map((name) => put(big, name, { [name]: 'ü'.repeat(10_000) })))
      assert.deepEqual(
        answers.map(({ status }) => status).toSorted((a, b) => a - b),
        [200, 200, 200, 400],
      )
      refused(
        answers.find(({ status }) => status === 400)!,
        400,
        'M_PROFILE_TOO_LARGE',
      )
      assert.ok(Buffer.byteLength(JSON.stringify(await show(big.userId))) < 65_536)
      // Setting a field anew counts it once.
      const kept = fields.find((_, index) => answers[index]!.status === 200)!
      assert.equal((await put(big, kept, { [kept]: 'ü'.repeat(10_000) })).status, 200)
    })
    it('reach every joined room in the background, and only what changed', async () => {
      const own = await server.register('shown')
      const rooms: string[] = []
      for (let i = 0; i < 12; i++) rooms.push(await createRoom(server, own.token))
      // A picture for one room only stays there.
      const [first] = rooms
      const special = { membership: 'join', displayname: 'shown', avatar_url: 'mxc://test.example/special' }
      const url = `${V3}/rooms/${encodeURIComponent(first!)}/state/m.room.member/${own.userId}`
      assert.equal((await server.request('PUT', url, { token: own.token, body: special })).status, 200)
      assert.equal((await put(own, 'displayname', { displayname: 'New' })).status, 200)
      await idle()
      for (const room of rooms) {
        const member = await memberIn(server, room, own.userId, own.token)
        assert.deepEqual([member['membership'], member['displayname']], ['join', 'New'])
      }
      const member = await memberIn(server, first!, own.userId, own.token)
      assert.equal(member['avatar_url'], 'mxc://test.example/special')
      assert.equal((await put(own, 'displayname', { displayname: '' })).status, 200)
      await idle()
      assert.equal('displayname' in (await memberIn(server, first!, own.userId, own.token)), false)
      assert.deepEqual(await show(own.userId), {})
    })
    it('end with the last value in every room, however quickly they change', async () => {
      const own = await server.register('hasty')
      const rooms: string[] = []
      for (let i = 0; i < 5; i++) rooms.push(await createRoom(server, own.token))
      for (let i = 0; i < 10; i++) await put(own, 'displayname', { displayname: `name ${i}` })
      await idle()
      for (const room of rooms) {
        assert.equal((await memberIn(server, room, own.userId, own.token))['displayname'], 'name 9')
      }
      assert.deepEqual(await server.hs.db.query('SELECT * FROM user_jobs', []), [])
    })
    it('do not reach the rooms when they are asked not to', async () => {
      const own = await server.register('quiet')
      const room = await createRoom(server, own.token)
      await put(own, 'displayname', { displayname: 'Secret' }, '?propagate=false')
      await put(own, 'displayname', { displayname: 'Secret' }, '?org.matrix.msc4069.propagate=false')
      await idle()
      assert.equal((await memberIn(server, room, own.userId, own.token))['displayname'], 'quiet')
      assert.deepEqual(await show(own.userId), { displayname: 'Secret' })
    })
    it('do not bring anybody back who has left', async () => {
      const own = await server.register('away')
      const room = await createRoom(server, alice.token)
      const at = `${V3}/rooms/${encodeURIComponent(room)}`
      await server.request('POST', `${at}/join`, { token: own.token, body: {} })
      await put(own, 'displayname', { displayname: 'Away' })
      await server.request('POST', `${at}/leave`, { token: own.token, body: {} })
      await idle()
      assert.equal((await memberIn(server, room, own.userId, alice.token))['membership'], 'leave')
    })
    it('of whoever had theirs erased is not there any more', async () => {
      const own = await server.register('erased')
      await deactivateAccount(server.hs, own.userId as never, true)
      await idle()
      for (const path of [own.userId, `${own.userId}/displayname`])
        refused(await server.request('GET', `${V3}/profile/${path}`), 404, 'M_NOT_FOUND')
    })
    it('of a deactivated account: it leaves its rooms and rejects its invitations', async () => {
      const own = await server.register('leaving')
      const joined = await createRoom(server, alice.token)
      await server.request('POST', `${V3}/join/${encodeURIComponent(joined)}`, { token: own.token, body: {} })
      const invited = await createRoom(server, alice.token, { invite: [own.userId] })
      await deactivateAccount(server.hs, own.userId as never, false)
      await idle()
      for (const room of [joined, invited]) {
        assert.equal((await memberIn(server, room, own.userId, alice.token))['membership'], 'leave')
      }
    })
  })

  describe(`unfinished work in rooms on ${driver.name}`, { skip: driver.skip }, () => {
    it('is taken up after a restart', async () => {
      let server = await driver.start({ endpoints })
      const own = await server.register('patient')
      const room = await createRoom(server, own.token)
      // As if the process had ended right after the answer: written, but not begun.
      await server.hs.accounts[Symbol.asyncDispose]()
      const url = `${V3}/profile/${own.userId}/displayname`
      await server.request('PUT', url, { token: own.token, body: { displayname: 'Later' } })
      assert.equal((await memberIn(server, room, own.userId, own.token))['displayname'], 'patient')
      server = await server.restart()
      await server.hs.accounts.jobs.idle()
      assert.equal((await memberIn(server, room, own.userId, own.token))['displayname'], 'Later')
      assert.deepEqual(await server.hs.db.query('SELECT * FROM user_jobs', []), [])
      await server[Symbol.asyncDispose]()
    })
  })
}
