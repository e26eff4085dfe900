import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { testRegistration } from '../appservice/test-appservice.ts'
import { purgeRoom } from '../jobs/purge-room.ts'
import { ok } from '../test-call.ts'
import { findServerDrivers, TEST_PASSWORD, type TestLogin, type TestServer } from '../test-server.ts'
import { patientClock } from '../test-patience.ts'
import { clientRoutes } from './routes.ts'

const segment = encodeURIComponent
const hub = testRegistration('hub', null)

interface Found {
  readonly user_id: string
  readonly display_name?: string
  readonly avatar_url?: string
}

for (const driver of await findServerDrivers()) {
  describe(`the user directory on ${driver.name}`, { skip: driver.skip }, () => {
    let server: TestServer
    before(async () => {
      server = await driver.start({ endpoints: clientRoutes, appservices: [hub], clock: patientClock })
    })
    after(() => server[Symbol.asyncDispose]())

    let count = 0
    /** An account with a localpart of its own that begins with `name`. */
    const person = (name: string): Promise<TestLogin> => server.register(`${name}-${++count}`)
    const call = (who: TestLogin, method: string, path: string, body?: JsonObject) =>
      ok(server, who, method, path, body)
    const call0 = (who: TestLogin, path: string): Promise<JsonObject> => call(who, 'POST', path, {})
    const room = async (who: TestLogin, more: JsonObject): Promise<string> =>
      (await call(who, 'POST', '/createRoom', more))['room_id'] as string
    const open = (who: TestLogin): Promise<string> => room(who, { preset: 'public_chat' })
    const joined = async (who: TestLogin, ...others: TestLogin[]): Promise<string> => {
      const roomId = await room(who, {
        preset: 'private_chat',
        invite: others.map(({ userId }) => userId),
      })
      for (const other of others) await call0(other, `/join/${segment(roomId)}`)
      return roomId
    }
    const rename = async (who: TestLogin, displayname: string): Promise<void> => {
      await call(who, 'PUT', `/profile/${segment(who.userId)}/displayname`, { displayname })
      await server.hs.accounts.jobs.idle()
    }
    const state = (who: TestLogin, roomId: string, path: string, content: JsonObject) =>
      call(who, 'PUT', `/rooms/${segment(roomId)}/state/${path}`, content)
    const search = async (who: TestLogin, term: string, more: JsonObject = {}) =>
      (await call(who, 'POST', '/user_directory/search', { search_term: term, ...more })) as unknown as {
        results: Found[]
        limited: boolean
      }
    const ids = async (who: TestLogin, term: string): Promise<string[]> =>
      (await search(who, term)).results.map((one) => one.user_id)

    it('finds by words of name and localpart and by the whole id, whatever the case, accents and script', async () => {
      const asker = await person('asker')
      const who = await person('jose.maria')
      await rename(who, 'José Ængström Иван 田中太郎')
      await open(who)
      const terms = [
        'jose',
        'JOSÉ',
        'ængström jos',
        'ÆNGST',
        'иван',
        'ИВА',
        '田中',
        'maria',
        'jose.mar',
        who.userId,
        who.userId.slice(0, 8),
        who.userId.slice(1),
        'José Ængström Иван 田中太郎',
      ]
      for (const term of terms) assert.deepEqual(await ids(asker, term), [who.userId], term)
      for (const term of ['osé', 'jose bert', 'ngst', '', ' ', '@ose']) {
        assert.deepEqual(await search(asker, term), { results: [], limited: false }, term)
      }
      const found = (await search(asker, 'иван')).results
      assert.deepEqual(found, [{ user_id: who.userId, display_name: 'José Ængström Иван 田中太郎' }])
    })

    it('finds those who share a room with the asker or are in an open one, and nobody else', async () => {
      const [asker, friend, stranger, hermit] = [
        await person('vis-asker'),
        await person('vis-friend'),
        await person('vis-stranger'),
        await person('vis-hermit'),
      ]
      await joined(asker, friend)
      await open(stranger)
      await joined(hermit)
      assert.deepEqual(await ids(asker, 'vis'), [friend.userId, stranger.userId])
      assert.deepEqual(await ids(hermit, 'vis'), [stranger.userId])
      // An invitation shows nobody, and who has left is not shown any more.
      const late = await person('vis-late')
      const roomId = await room(hermit, { preset: 'private_chat', invite: [late.userId] })
      assert.deepEqual(await ids(late, 'vis-hermit'), [])
      await call0(late, `/join/${segment(roomId)}`)
      assert.deepEqual(await ids(late, 'vis-hermit'), [hermit.userId])
      await call0(late, `/rooms/${segment(roomId)}/leave`)
      assert.deepEqual(await ids(late, 'vis-hermit'), [])
    })

    it('a name for one room is nobody else’s to find, nor of those in the room', async () => {
      const [asker, friend, alice] = [await person('eve'), await person('bob'), await person('spec-alice')]
      await rename(alice, 'Alice Cooper')
      await open(alice)
      const roomId = await joined(friend, alice)
      await state(alice, roomId, `m.room.member/${segment(alice.userId)}`, {
        membership: 'join',
        displayname: 'Freddy',
      })
      for (const who of [asker, friend]) {
        assert.deepEqual(await ids(who, 'freddy'), [])
        const { results } = await search(who, 'alice cooper')
        assert.deepEqual(results, [{ user_id: alice.userId, display_name: 'Alice Cooper' }])
      }
    })

    it('follows names, and rooms that open and close', async () => {
      const [asker, who] = [await person('rooms-asker'), await person('rooms-who')]
      const roomId = await joined(who)
      await rename(who, 'Quirinius')
      assert.deepEqual(await ids(asker, 'quirinius'), [])
      await state(who, roomId, 'm.room.join_rules', { join_rule: 'public' })
      assert.deepEqual(await ids(asker, 'quirinius'), [who.userId])
      await state(who, roomId, 'm.room.join_rules', { join_rule: 'invite' })
      assert.deepEqual(await ids(asker, 'quirinius'), [])
      await state(who, roomId, 'm.room.history_visibility', { history_visibility: 'world_readable' })
      assert.deepEqual(await ids(asker, 'quirinius'), [who.userId])
      await rename(who, 'Publius')
      assert.deepEqual(await ids(asker, 'quirinius'), [])
      assert.deepEqual(await ids(asker, 'publ'), [who.userId])
      await state(who, roomId, 'm.room.history_visibility', { history_visibility: 'shared' })
      assert.deepEqual(await ids(asker, 'publ'), [])
    })

    it('puts the very name first, then those the asker shares a room with, and says when there are more', async () => {
      const asker = await person('rank-asker')
      const [near, far, exact] = [await person('rank-n'), await person('rank-f'), await person('rank-e')]
      await rename(near, 'Zoltan Zimmer')
      await rename(far, 'Zoltan Aar')
      await rename(exact, 'Zoltán')
      for (const who of [far, exact]) await open(who)
      await joined(asker, near)
      assert.deepEqual(await ids(asker, 'zoltan'), [exact.userId, near.userId, far.userId])
      assert.equal((await search(asker, 'zoltan')).limited, false)
      const two = await search(asker, 'zoltan', { limit: 2 })
      assert.deepEqual([two.results.length, two.limited], [2, true])
      assert.deepEqual(await search(asker, 'zoltan', { limit: 0 }), { results: [], limited: true })
      const bad = await server.request('POST', '/_matrix/client/v3/user_directory/search', {
        token: asker.token,
        body: { search_term: 7 },
      })
      assert.deepEqual([bad.status, bad.json()['errcode']], [400, 'M_BAD_JSON'])
    })

    it('leaves out whom the asker ignores, locked and deactivated accounts', async () => {
      const asker = await person('gone-asker')
      const [ignored, locked, ended] = [
        await person('gone-i'),
        await person('gone-l'),
        await person('gone-d'),
      ]
      for (const who of [ignored, locked, ended]) await open(who)
      assert.equal((await ids(asker, 'gone')).length, 3)
      await call(asker, 'PUT', `/user/${segment(asker.userId)}/account_data/m.ignored_user_list`, {
        ignored_users: { [ignored.userId]: {} },
      })
      assert.deepEqual(await ids(asker, 'gone'), [ended.userId, locked.userId])
      const lock = { sql: 'UPDATE users SET is_locked = 1 WHERE user_id = ?', params: [locked.userId] }
      await server.hs.db.commit({ entries: [], steps: [lock] })
      assert.deepEqual(await ids(asker, 'gone'), [ended.userId])
      await call(ended, 'POST', '/account/deactivate', {
        auth: {
          type: 'm.login.password',
          identifier: { type: 'm.id.user', user: ended.userId },
          password: TEST_PASSWORD,
        },
        erase: true,
      })
      assert.deepEqual(await ids(asker, 'gone'), [])
      await server.hs.accounts.jobs.idle()
      await server.hs.jobs.idle()
      await server.hs.userDirectory.idle()
      const left = await server.hs.db.query(
        "SELECT word FROM directory_words WHERE word LIKE '%gone-d%' UNION ALL SELECT user_id FROM directory_names WHERE user_id = ?",
        [ended.userId],
      )
      assert.deepEqual(left, [])
    })

    it('ghosts are found by those who share a room with them, behind people', async () => {
      const [asker, other, human] = [await person('g-asker'), await person('g-other'), await person('x_hub')]
      const ghost = `@_hub_${++count}:test.example`
      const as = (method: string, path: string, body: JsonObject) =>
        server.request(method, `/_matrix/client/v3${path}?user_id=${segment(ghost)}`, {
          token: hub.as_token,
          body,
        })
      const made = await server.request('POST', '/_matrix/client/v3/register', {
        token: hub.as_token,
        body: { type: 'm.login.application_service', username: ghost.slice(1).split(':')[0]! },
      })
      assert.equal(made.status, 200)
      const roomId = await open(asker)
      assert.equal((await as('POST', `/join/${segment(roomId)}`, {})).status, 200)
      await call0(human, `/join/${segment(roomId)}`)
      assert.deepEqual(await ids(asker, 'hub'), [human.userId, ghost])
      assert.deepEqual(await ids(other, 'hub'), [human.userId])
    })

    it('lets go of the names of a purged room, and finds the same after a restart', async () => {
      const [asker, who] = [await person('p-asker'), await person('p-who')]
      const roomId = await joined(who)
      const shared = await joined(asker, who)
      await rename(who, 'Purgatorius')
      server = await server.restart()
      assert.deepEqual(await ids(asker, 'purgat'), [who.userId])
      for (const gone of [roomId, shared]) {
        await purgeRoom(server.hs, gone as RoomId, { force: true })
      }
      await server.hs.jobs.idle()
      await server.hs.userDirectory.idle()
      assert.deepEqual(await ids(asker, 'purgat'), [])
      const left = await server.hs.db.query(
        `SELECT name_nid FROM directory_words WHERE word LIKE '%purgat%'
         UNION ALL SELECT nid FROM directory_names WHERE user_id = ?
         UNION ALL SELECT room_nid FROM directory_rooms d WHERE NOT EXISTS (SELECT 1 FROM rooms r WHERE r.nid = d.room_nid)`,
        [who.userId],
      )
      assert.deepEqual(left, [])
    })

    it('looks at every room anew when it knows of none, as after an update', async () => {
      const [asker, who] = [await person('new-asker'), await person('new-who')]
      await joined(asker, who)
      assert.deepEqual(await ids(asker, 'new-who'), [who.userId])
      const steps = [
        { sql: 'DELETE FROM directory_words', params: [] },
        { sql: 'DELETE FROM directory_names', params: [] },
        { sql: 'DELETE FROM directory_shown', params: [] },
        { sql: 'DELETE FROM directory_rooms', params: [] },
        { sql: "INSERT INTO directory_rooms SELECT nid, 0, 0, 1, '' FROM rooms", params: [] },
      ]
      await server.hs.db.commit({ entries: [], steps })
      server = await server.restart()
      await server.hs.userDirectory.idle()
      assert.deepEqual(await ids(asker, 'new-who'), [who.userId])
    })
  })
}
