import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { testRegistration } from '../appservice/test-appservice.ts'
import { findServerDrivers } from '../test-server.ts'
import { clientRoutes } from './routes.ts'
import { openTestPeople, type TestPeople } from './test-people.ts'

const v3 = '/_matrix/client/v3'
const at = (roomId: unknown, rest: string): string =>
  `${v3}/rooms/${encodeURIComponent(String(roomId))}${rest}`

async function userIdOf(server: TestPeople, who: string): Promise<string> {
  return (await server.call(who, 'GET', `${v3}/account/whoami`))['user_id'] as string
}

async function readState(server: TestPeople, roomId: unknown): Promise<Map<string, JsonObject>> {
  const events = (await server.call('alice', 'GET', at(roomId, '/state'))) as unknown as JsonObject[]
  return new Map(
    events.map((event) => [
      `${event['type'] as string}|${event['state_key'] as string}`,
      event['content'] as JsonObject,
    ]),
  )
}

for (const driver of await findServerDrivers()) {
  describe(`room upgrades on ${driver.name}`, { skip: driver.skip }, () => {
    for (const [from, to] of [
      ['6', '11'],
      ['10', '12'],
      ['12', '12'],
      ['12', '10'],
      ['10', 'org.matrix.msc3757.11'],
    ] as const) {
      it(`replaces a room of version ${from} by one of version ${to}`, async () => {
        await using server = await openTestPeople(driver)
        const bob = await userIdOf(server, 'bob')
        const made = await server.call('alice', 'POST', `${v3}/createRoom`, {
          preset: 'public_chat',
          visibility: 'public',
          room_version: from,
          room_alias_name: 'map',
          name: 'Map',
          topic: 'Maps',
          initial_state: [{ type: 'm.room.server_acl', content: { allow: ['*'] } }],
          power_level_content_override: { users_default: 5 },
        })
        const old = made['room_id']
        await server.call('alice', 'POST', at(old, '/ban'), { user_id: '@troll:elsewhere.example' })
        const { replacement_room: fresh } = await server.call('alice', 'POST', at(old, '/upgrade'), {
          new_version: to,
          additional_creators: [bob],
        })
        const state = await readState(server, fresh)
        const create = state.get('m.room.create|')!
        assert.equal(create['room_version'], to)
        assert.equal((create['predecessor'] as JsonObject)['room_id'], old)
        assert.deepEqual(create['additional_creators'], to === '12' ? [bob] : undefined)
        assert.equal(state.get('m.room.name|')!['name'], 'Map')
        assert.equal(state.get('m.room.topic|')!['topic'], 'Maps')
        assert.equal(state.get('m.room.join_rules|')!['join_rule'], 'public')
        assert.deepEqual(state.get('m.room.server_acl|'), { allow: ['*'] })
        assert.equal(state.get('m.room.member|@troll:elsewhere.example')!['membership'], 'ban')
        assert.equal(state.get('m.room.power_levels|')!['users_default'], 5)
        assert.equal(state.get(`m.room.member|${bob}`), undefined)
        // Whoever replaces the room still may do everything in it: by a level, or above all of them.
        await server.call('alice', 'PUT', at(fresh, '/state/m.room.name'), { name: 'Map again' })
        const before = await readState(server, old)
        assert.equal(before.get('m.room.tombstone|')!['replacement_room'], fresh)
        assert.deepEqual(before.get('m.room.canonical_alias|'), {})
        assert.equal(before.get('m.room.power_levels|')!['events_default'], 50)
        const alias = encodeURIComponent(`#map:${server.hs.serverName}`)
        assert.equal((await server.call('bob', 'GET', `${v3}/directory/room/${alias}`))['room_id'], fresh)
        const listed = await server.call('bob', 'GET', `${v3}/publicRooms`)
        assert.deepEqual(
          (listed['chunk'] as JsonObject[]).map((room) => room['room_id']),
          [fresh],
        )
      })
    }

    it('is for those who may say that the room is replaced, and for versions that there are', async () => {
      await using server = await openTestPeople(driver)
      const made = await server.call('alice', 'POST', `${v3}/createRoom`, { preset: 'public_chat' })
      const old = made['room_id']
      await server.call('bob', 'POST', at(old, '/join'), {})
      await assert.rejects(
        server.call('bob', 'POST', at(old, '/upgrade'), { new_version: '11' }),
        /M_FORBIDDEN/,
      )
      await assert.rejects(
        server.call('alice', 'POST', at(old, '/upgrade'), { new_version: 'x' }),
        /M_UNSUPPORTED_ROOM_VERSION/,
      )
    })

    it('gives a level to those who stood above all of them, where nobody does any more', async () => {
      await using server = await openTestPeople(driver)
      const [alice, bob, carol] = await Promise.all(
        ['alice', 'bob', 'carol'].map((who) => userIdOf(server, who)),
      )
      const made = await server.call('alice', 'POST', `${v3}/createRoom`, {
        room_version: '12',
        creation_content: { additional_creators: [bob!] },
        power_level_content_override: { users: { [carol!]: 160 }, events: { 'm.room.tombstone': 150 } },
      })
      const body = { new_version: '11' }
      const { replacement_room: fresh } = await server.call(
        'alice',
        'POST',
        at(made['room_id'], '/upgrade'),
        body,
      )
      const levels = (await readState(server, fresh)).get('m.room.power_levels|')!
      assert.deepEqual(levels['users'], { [alice!]: 160, [bob!]: 160, [carol!]: 160 })
    })

    it('asks the bot that the state of a bridged room names into the new one, where it is an application service’s', async () => {
      // As bridges in Go register: the sender is a name that nobody uses.
      const irc = testRegistration('irc', null, { sender_localpart: '9pQx' })
      const [bot, ghost] = ['@_irc_bot:test.example', '@_irc_ghost:test.example']
      await using server = await driver.start({ endpoints: clientRoutes, appservices: [irc] })
      const [alice, bob] = [await server.register('alice'), await server.register('bob')]
      const ask = async (token: string, method: string, path: string, body: JsonObject) =>
        (await server.request(method, path, { token, body })).json()
      for (const localpart of ['_irc_bot', '_irc_ghost'])
        await ask(irc.as_token, 'POST', `${v3}/register`, {
          type: 'm.login.application_service',
          username: localpart,
        })
      const { room_id: old } = await ask(alice.token, 'POST', `${v3}/createRoom`, {
        invite: [bot, ghost, bob.userId],
        initial_state: [
          { type: 'm.bridge', state_key: 'irc', content: { bridgebot: bot } },
          { type: 'uk.half-shot.bridge', state_key: 'other', content: { bridgebot: bob.userId } },
        ],
      })
      for (const userId of [bot, ghost]) {
        const as = `?user_id=${encodeURIComponent(userId)}`
        await ask(irc.as_token, 'POST', `${at(old, '/join')}${as}`, {})
      }
      await ask(bob.token, 'POST', at(old, '/join'), {})
      const { replacement_room: fresh } = await ask(alice.token, 'POST', at(old, '/upgrade'), {
        new_version: '12',
      })
      for (const [userId, membership] of [
        [bot, 'invite'],
        [ghost, undefined],
        [bob.userId, undefined],
      ] as const) {
        const shown = await server.request('GET', at(fresh, `/state/m.room.member/${userId}`), {
          token: alice.token,
        })
        assert.equal(shown.json()['membership'], membership, userId)
      }
    })

    it('asks the bots of bridges into the new room, where not everybody may come in', async () => {
      const irc = testRegistration('irc', null)
      const bot = '@_irc_bot:test.example'
      await using server = await driver.start({ endpoints: clientRoutes, appservices: [irc] })
      const alice = await server.register('alice')
      const call = async (
        token: string,
        method: string,
        path: string,
        body: JsonObject,
      ): Promise<JsonObject> => (await server.request(method, path, { token, body })).json()
      for (const [preset, invited] of [
        ['private_chat', 'invite'],
        ['public_chat', undefined],
      ] as const) {
        const { room_id: old } = await call(alice.token, 'POST', `${v3}/createRoom`, {
          preset,
          invite: [bot],
        })
        await call(irc.as_token, 'POST', at(old, '/join'), {})
        const body = { new_version: '12' }
        const { replacement_room: fresh } = await call(alice.token, 'POST', at(old, '/upgrade'), body)
        const shown = await server.request('GET', at(fresh, `/state/m.room.member/${bot}`), {
          token: alice.token,
        })
        assert.equal(shown.json()['membership'], invited)
      }
    })

    it('gives back the power that was lent for the first events, and moves the room in its space', async () => {
      await using server = await openTestPeople(driver)
      const alice = await userIdOf(server, 'alice')
      const bob = await userIdOf(server, 'bob')
      const space = await server.call('alice', 'POST', `${v3}/createRoom`, {
        preset: 'public_chat',
        room_version: '11',
        creation_content: { type: 'm.space' },
      })
      const made = await server.call('alice', 'POST', `${v3}/createRoom`, {
        preset: 'public_chat',
        room_version: '11',
        initial_state: [
          {
            type: 'm.space.parent',
            state_key: space['room_id'] as string,
            content: { via: ['test.example'], canonical: true },
          },
        ],
        power_level_content_override: {
          users: { [alice]: 60, [bob]: 50 },
          events: { 'm.room.tombstone': 50, 'm.room.power_levels': 50, 'm.room.server_acl': 55 },
        },
      })
      const child = `/state/m.space.child/${encodeURIComponent(made['room_id'] as string)}`
      await server.call('alice', 'PUT', at(space['room_id'], child), {
        via: ['test.example'],
        suggested: true,
      })
      const { replacement_room: fresh } = await server.call(
        'alice',
        'POST',
        at(made['room_id'], '/upgrade'),
        {
          new_version: '11',
        },
      )
      const state = await readState(server, fresh)
      const users = state.get('m.room.power_levels|')!['users']
      assert.deepEqual(users, { [alice]: 60, [bob]: 50 })
      const spaceState = await readState(server, space['room_id'])
      assert.deepEqual(spaceState.get(`m.space.child|${made['room_id'] as string}`), {})
      assert.equal(spaceState.get(`m.space.child|${fresh as string}`)!['suggested'], true)
      assert.deepEqual(state.get(`m.space.parent|${space['room_id'] as string}`)!['canonical'], true)
    })
  })
}
