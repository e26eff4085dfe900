import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { touchDevice } from '@causeway/store/tables/devices.ts'
import { clientRoutes } from '../client/routes.ts'
import { testConfig, findServerDrivers, type TestServer } from '../test-server.ts'
import { endIdleGuests } from './end-idle-guests.ts'

const v3 = '/_matrix/client/v3'
const at = (roomId: string, rest: string): string => `${v3}/rooms/${encodeURIComponent(roomId)}${rest}`

/** `200`, or the status with the errcode. */
async function ask(
  server: TestServer,
  token: string,
  method: string,
  path: string,
  body?: JsonObject,
): Promise<{ said: string; json: JsonObject }> {
  const answer = await server.request(method, path, { token, ...(body === undefined ? {} : { body }) })
  const json = answer.json()
  return { said: answer.status === 200 ? '200' : `${answer.status} ${json['errcode'] as string}`, json }
}

const becomeGuest = (server: TestServer): Promise<{ said: string; json: JsonObject }> =>
  ask(server, '', 'POST', `${v3}/register?kind=guest`, {
    password: 'is not looked at',
    username: 'neither',
    initial_device_display_name: 'a browser',
  })

const DAY_MS = 24 * 3_600_000
const FORBIDDEN = '403 M_GUEST_ACCESS_FORBIDDEN'
const GUEST_ACCESS = '/state/m.room.guest_access'

for (const driver of await findServerDrivers()) {
  describe(`guests on ${driver.name}`, { skip: driver.skip }, () => {
    const registration = { ...testConfig('/nowhere', {}).registration, guests: true }

    it('are not let in unless the operator wants that', async () => {
      await using server = await driver.start({ endpoints: clientRoutes })
      assert.equal((await becomeGuest(server)).said, FORBIDDEN)
    })

    it('enter rooms that let them in, say something, and do nothing else that takes an account', async () => {
      await using server = await driver.start({ endpoints: clientRoutes, config: { registration } })
      const alice = await server.register('alice')
      const room = async (guestAccess: string): Promise<string> => {
        const state = { type: 'm.room.guest_access', state_key: '', content: { guest_access: guestAccess } }
        const body = { preset: 'public_chat', initial_state: [state] }
        return (await ask(server, alice.token, 'POST', `${v3}/createRoom`, body)).json['room_id'] as string
      }
      const [open, closed] = [await room('can_join'), await room('forbidden')]
      const made = (await becomeGuest(server)).json
      const token = made['access_token'] as string
      const guestId = made['user_id'] as string
      assert.match(guestId, /^@guest-[^:]+:test\.example$/)
      assert.equal((await ask(server, token, 'GET', `${v3}/account/whoami`)).json['is_guest'], true)
      const said = async (method: string, path: string, body?: JsonObject): Promise<string> =>
        (await ask(server, token, method, path, body)).said

      assert.equal(await said('POST', at(closed, '/join'), {}), FORBIDDEN)
      assert.equal(
        await said('POST', `${v3}/join/${encodeURIComponent('!none:elsewhere.example')}`, {}),
        FORBIDDEN,
      )
      const own = at(closed, `/state/m.room.member/${guestId}`)
      assert.equal(await said('PUT', own, { membership: 'join' }), FORBIDDEN)
      assert.equal(await said('POST', at(open, '/join'), {}), '200')
      const message = { msgtype: 'm.text', body: 'hello' }
      assert.equal(await said('PUT', at(open, '/send/m.room.message/1'), message), '200')
      assert.equal(await said('GET', at(open, '/messages?dir=b')), '200')
      assert.equal(await said('GET', `${v3}/sync`), '200')
      assert.equal(await said('POST', `${v3}/publicRooms`, { limit: 10 }), '200')
      assert.equal(await said('PUT', `${v3}/profile/${guestId}/displayname`, { displayname: 'Gus' }), '200')
      for (const [method, path, body] of [
        ['POST', `${v3}/createRoom`, {}],
        ['POST', at(open, '/invite'), { user_id: alice.userId }],
        ['POST', `${v3}/user_directory/search`, { search_term: 'a' }],
        ['POST', `${v3}/account/password`, { new_password: 'something long' }],
        ['PUT', `${v3}/user/${guestId}/account_data/x`, {}],
        ['POST', '/_matrix/media/v3/upload', {}],
        ['POST', '/_matrix/client/v1/login/get_token', {}],
      ] as const) {
        assert.equal(await said(method, path, body), FORBIDDEN, path)
      }
      const login = { type: 'm.login.password', user: guestId, password: 'is not looked at' }
      assert.equal((await ask(server, '', 'POST', `${v3}/login`, login)).said, '403 M_FORBIDDEN')
    })

    it('leave when a room lets them in no longer, at once or when the server is started', async () => {
      let server = await driver.start({ endpoints: clientRoutes, config: { registration } })
      try {
        const alice = await server.register('alice')
        const { json: guest } = await becomeGuest(server)
        const token = guest['access_token'] as string
        // A private chat lets guests in.
        const made = await ask(server, alice.token, 'POST', `${v3}/createRoom`, {
          preset: 'private_chat',
          invite: [guest['user_id'] as string],
        })
        const roomId = made.json['room_id'] as string
        const membership = async (): Promise<unknown> =>
          (
            await ask(
              server,
              alice.token,
              'GET',
              at(roomId, `/state/m.room.member/${guest['user_id'] as string}`),
            )
          ).json['membership']
        const setAccess = (guestAccess: string): Promise<unknown> =>
          ask(server, alice.token, 'PUT', at(roomId, GUEST_ACCESS), { guest_access: guestAccess })
        assert.equal((await ask(server, token, 'POST', at(roomId, '/join'), {})).said, '200')
        await ask(server, alice.token, 'POST', at(roomId, '/join'), {})
        await setAccess('forbidden')
        await server.hs.guests.idle()
        assert.equal(await membership(), 'leave')
        const told = (await ask(server, token, 'PUT', at(roomId, '/send/m.room.message/1'), { body: 'x' }))
          .said
        assert.equal(told, '403 M_FORBIDDEN')

        await setAccess('can_join')
        await ask(server, alice.token, 'POST', at(roomId, '/invite'), { user_id: guest['user_id'] as string })
        assert.equal((await ask(server, token, 'POST', at(roomId, '/join'), {})).said, '200')
        await server.hs.guests[Symbol.asyncDispose]()
        await setAccess('forbidden')
        assert.equal(await membership(), 'join')
        server = await server.restart()
        await server.hs.guests.idle()
        assert.equal(await membership(), 'leave')
      } finally {
        await server[Symbol.asyncDispose]()
      }
    })

    it('are kept for as long as the operator wants after they were last there; then they leave their rooms', async () => {
      const config = { registration: { ...registration, guests_kept: 30 * DAY_MS } }
      await using server = await driver.start({ endpoints: clientRoutes, config })
      const alice = await server.register('alice')
      const { json: room } = await ask(server, alice.token, 'POST', `${v3}/createRoom`, {
        preset: 'public_chat',
        initial_state: [{ type: 'm.room.guest_access', content: { guest_access: 'can_join' } }],
      })
      const roomId = room['room_id'] as string
      const guests: { token: string; userId: string; deviceId: string }[] = []
      for (let n = 0; n < 3; n++) {
        const { json } = await becomeGuest(server)
        const [token, userId, deviceId] = ['access_token', 'user_id', 'device_id'].map(
          (key) => json[key] as string,
        )
        guests.push({ token: token!, userId: userId!, deviceId: deviceId! })
        assert.equal((await ask(server, token!, 'POST', at(roomId, '/join'), {})).said, '200')
      }
      const [gone, back, other] = guests as [(typeof guests)[0], (typeof guests)[0], (typeof guests)[0]]
      const standing = async ({ token, userId }: { token: string; userId: string }): Promise<unknown[]> => {
        const path = at(roomId, `/state/m.room.member/${userId}`)
        const member = (await ask(server, alice.token, 'GET', path)).json['membership']
        return [(await ask(server, token, 'GET', `${v3}/account/whoami`)).said, member]
      }
      const { hs } = server
      const made = hs.clock.now()
      const after = (days: number, kept?: number): Promise<void> =>
        endIdleGuests({
          ...hs,
          clock: { ...hs.clock, now: () => made + days * DAY_MS },
          ...(kept === undefined
            ? {}
            : { config: { ...hs.config, registration: { ...config.registration, guests_kept: kept } } }),
        }).run()
      await after(29)
      await after(1_000, 0)
      for (const guest of guests) assert.deepEqual(await standing(guest), ['200', 'join'])
      await hs.sessions.flush()
      const touch = touchDevice(back.userId, back.deviceId, made + 10 * DAY_MS, '127.0.0.1')
      await hs.db.commit({ entries: [], steps: [touch] })
      await after(31)
      await hs.accounts.jobs.idle()
      for (const guest of [gone, other])
        assert.deepEqual(await standing(guest), ['401 M_UNKNOWN_TOKEN', 'leave'])
      assert.deepEqual(await standing(back), ['200', 'join'])
      assert.equal((await ask(server, alice.token, 'GET', `${v3}/account/whoami`)).said, '200')
    })
  })
}
