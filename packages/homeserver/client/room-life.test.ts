import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers } from '../test-server.ts'
import { eventsIn, openPeople, type Person } from '../user-data/test-people.ts'

const escaped = encodeURIComponent

async function stateOf(who: Person, roomId: string, type: string, key = ''): Promise<JsonObject | undefined> {
  const { status, body } = await who.ask('GET', `/rooms/${escaped(roomId)}/state/${type}/${escaped(key)}`)
  return status === 200 ? body : undefined
}

async function membershipOf(who: Person, roomId: string, of: Person): Promise<unknown> {
  return (await stateOf(who, roomId, 'm.room.member', of.userId))?.['membership']
}

async function refusal(who: Person, path: string, body: JsonObject = {}): Promise<unknown[]> {
  const answer = await who.ask('POST', path, body)
  return [answer.status, answer.body['errcode']]
}

const FORBIDDEN = [403, 'M_FORBIDDEN']

/** What each preset means, and who is as strong as the creator. https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3createroom */
const PRESETS = [
  { preset: 'private_chat', joinRule: 'invite', guests: 'can_join', invite: 0, inviteesRule: false },
  { preset: 'trusted_private_chat', joinRule: 'invite', guests: 'can_join', invite: 0, inviteesRule: true },
  { preset: 'public_chat', joinRule: 'public', guests: 'forbidden', invite: 50, inviteesRule: false },
] as const

for (const driver of await findServerDrivers()) {
  describe(`making a room on ${driver.name}`, { skip: driver.skip }, () => {
    for (const { preset, joinRule, guests, invite, inviteesRule } of PRESETS) {
      it(`${preset} sets join rule, history, guests and power, before and from room version 12 on`, async () => {
        await using people = await openPeople(driver)
        const { alice, bob } = people
        for (const version of ['11', '12']) {
          const body = { preset, invite: [bob.userId], room_version: version }
          const { room_id: made } = await alice.call('POST', '/createRoom', body)
          const roomId = made as string
          assert.deepEqual(await stateOf(alice, roomId, 'm.room.join_rules'), { join_rule: joinRule })
          const access = await stateOf(alice, roomId, 'm.room.guest_access')
          assert.equal(access?.['guest_access'] ?? 'forbidden', guests)
          assert.deepEqual(await stateOf(alice, roomId, 'm.room.history_visibility'), {
            history_visibility: 'shared',
          })
          assert.equal(await membershipOf(alice, roomId, bob), 'invite')
          const create = (await stateOf(alice, roomId, 'm.room.create'))!
          const levels = (await stateOf(alice, roomId, 'm.room.power_levels'))!
          assert.equal(create['room_version'], version)
          assert.equal(levels['invite'], invite)
          const strong = inviteesRule ? [bob.userId] : []
          if (version === '12') {
            assert.deepEqual(create['additional_creators'] ?? [], strong)
            assert.deepEqual(levels['users'], {}, 'creators are above every number, and are not listed')
          } else {
            const users = Object.fromEntries([alice.userId, ...strong].map((userId) => [userId, 100]))
            assert.deepEqual(levels['users'], users)
          }
        }
      })
    }

    it('takes the preset from the visibility, and lets initial state and overrides win over both', async () => {
      await using people = await openPeople(driver)
      const { alice } = people
      const rule = async (body: JsonObject) => {
        const { room_id: roomId } = await alice.call('POST', '/createRoom', body)
        return (await stateOf(alice, roomId as string, 'm.room.join_rules'))!['join_rule']
      }
      assert.equal(await rule({}), 'invite')
      assert.equal(await rule({ visibility: 'public' }), 'public')
      assert.equal(await rule({ visibility: 'public', preset: 'private_chat' }), 'invite')
      const knock = { type: 'm.room.join_rules', content: { join_rule: 'knock' } }
      assert.equal(await rule({ preset: 'public_chat', initial_state: [knock] }), 'knock')
      const { room_id: roomId } = await alice.call('POST', '/createRoom', {
        name: 'Maps',
        topic: 'all of them',
        initial_state: [{ type: 'm.room.name', content: { name: 'not this' } }],
        power_level_content_override: { events_default: 40 },
      })
      assert.equal((await stateOf(alice, roomId as string, 'm.room.name'))!['name'], 'Maps')
      assert.equal((await stateOf(alice, roomId as string, 'm.room.topic'))!['topic'], 'all of them')
      const levels = (await stateOf(alice, roomId as string, 'm.room.power_levels'))!
      assert.deepEqual([levels['events_default'], levels['ban']], [40, 50])
    })

    it('refuses an unknown version, a taken alias and power that the version does not allow', async () => {
      await using people = await openPeople(driver)
      const { alice } = people
      const made = (body: JsonObject) => refusal(alice, '/createRoom', body)
      assert.deepEqual(await made({ room_version: '1.2-beta' }), [400, 'M_UNSUPPORTED_ROOM_VERSION'])
      await alice.call('POST', '/createRoom', { room_alias_name: 'maps' })
      assert.deepEqual(await made({ room_alias_name: 'maps' }), [400, 'M_ROOM_IN_USE'])
      const creatorListed = { power_level_content_override: { users: { [alice.userId]: 100 } } }
      assert.deepEqual(await made({ ...creatorListed, room_version: '12' }), [400, 'M_INVALID_ROOM_STATE'])
    })
  })

  describe(`the life of a member on ${driver.name}`, { skip: driver.skip }, () => {
    it('a kick takes power and a reason, and leaves the door open', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      const carol = await people.register('carol')
      const kick = (user: Person) => ({ user_id: user.userId, reason: 'shouting' })
      assert.deepEqual(await refusal(bob, `${room}/kick`, kick(alice)), FORBIDDEN, 'bob lacks the power')
      assert.deepEqual(
        await refusal(alice, `${room}/kick`, kick(carol)),
        FORBIDDEN,
        'carol is not in the room',
      )
      await alice.call('POST', `${room}/kick`, kick(bob))
      const member = await stateOf(alice, roomId, 'm.room.member', bob.userId)
      assert.deepEqual([member!['membership'], member!['reason']], ['leave', 'shouting'])
      assert.deepEqual((await bob.ask('PUT', `${room}/send/m.room.message/1`, { body: 'x' })).status, 403)
      await bob.call('POST', `${room}/join`, {})
      assert.equal(await membershipOf(alice, roomId, bob), 'join')
      await bob.say(roomId, 'sorry')
      // Bridges have a ghost go so: the right to leave is enough.
      await bob.call('POST', `${room}/kick`, { user_id: bob.userId, reason: 'another name' })
      const gone = await stateOf(alice, roomId, 'm.room.member', bob.userId)
      assert.deepEqual([gone!['membership'], gone!['reason']], ['leave', 'another name'])
    })

    it('a ban keeps people out until it is lifted, those who never came too', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      const carol = await people.register('carol')
      for (const person of [bob, carol]) {
        const target = { user_id: person.userId }
        assert.deepEqual(await refusal(alice, `${room}/unban`, target), FORBIDDEN, 'nobody is banned yet')
        await alice.call('POST', `${room}/ban`, { ...target, reason: 'spam' })
        assert.equal((await stateOf(alice, roomId, 'm.room.member', person.userId))!['reason'], 'spam')
        assert.deepEqual(await refusal(person, `${room}/join`), FORBIDDEN)
        assert.deepEqual(await refusal(alice, `${room}/invite`, target), FORBIDDEN)
      }
      assert.deepEqual(await refusal(bob, `${room}/unban`, { user_id: carol.userId }), FORBIDDEN)
      await alice.call('POST', `${room}/unban`, { user_id: bob.userId })
      assert.equal(await membershipOf(alice, roomId, bob), 'leave')
      await bob.call('POST', `${room}/join`, {})
      assert.equal(await membershipOf(alice, roomId, bob), 'join')
      assert.equal(await membershipOf(alice, roomId, carol), 'ban')
    })

    it('nobody touches their equals, but a creator of version 12 is above all', async () => {
      await using people = await openPeople(driver)
      const { alice, bob } = people
      for (const [version, touches] of [
        ['11', false],
        ['12', true],
      ] as const) {
        const { room_id: roomId } = await alice.call('POST', '/createRoom', {
          preset: 'public_chat',
          room_version: version,
        })
        const room = `/rooms/${escaped(roomId as string)}`
        await bob.call('POST', `${room}/join`, {})
        const levels = (await stateOf(alice, roomId as string, 'm.room.power_levels'))!
        const users = { ...(levels['users'] as JsonObject), [bob.userId]: 100 }
        await alice.call('PUT', `${room}/state/m.room.power_levels`, { ...levels, users })
        assert.deepEqual(await refusal(bob, `${room}/kick`, { user_id: alice.userId }), FORBIDDEN)
        const { status } = await alice.ask('POST', `${room}/kick`, { user_id: bob.userId })
        assert.equal(status, touches ? 200 : 403, version)
      }
    })

    it('a private room is entered by invitation, which may be declined and comes again', async () => {
      await using people = await openPeople(driver)
      const { alice, bob } = people
      const { room_id: made } = await alice.call('POST', '/createRoom', {})
      const roomId = made as string
      const room = `/rooms/${escaped(roomId)}`
      assert.deepEqual(await refusal(bob, `${room}/join`), FORBIDDEN)
      for (const end of ['leave', 'join'] as const) {
        await alice.call('POST', `${room}/invite`, { user_id: bob.userId, reason: 'come in' })
        const sync = await bob.sync()
        const stripped = ((sync['rooms'] as JsonObject)['invite'] as JsonObject)[roomId] as JsonObject
        const own = eventsIn(stripped, 'invite_state').find((event) => event['state_key'] === bob.userId)
        assert.deepEqual(
          [(own!['content'] as JsonObject)['membership'], (own!['content'] as JsonObject)['reason']],
          ['invite', 'come in'],
        )
        assert.match(own!['event_id'] as string, /^\$/)
        assert.equal(typeof own!['origin_server_ts'], 'number')
        await bob.call('POST', `${room}/${end}`, {})
        assert.equal(await membershipOf(alice, roomId, bob), end)
      }
      assert.deepEqual(await refusal(alice, `${room}/invite`, { user_id: bob.userId }), FORBIDDEN)
    })

    it('an invitation of who is there is refused in the words by which mautrix bridges know it', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, room } = people
      const { status, body } = await alice.ask('POST', `${room}/invite`, { user_id: bob.userId })
      const { errcode, error } = body as JsonObject
      assert.deepEqual([status, errcode, error], [403, 'M_FORBIDDEN', `${bob.userId} is already in the room`])
    })

    it('nobody becomes a member by a state event whose key is no user id', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, room } = people
      for (const key of ['', 'bob', '@bob', bob.userId.slice(1)]) {
        const { status, body } = await alice.ask('PUT', `${room}/state/m.room.member/${escaped(key)}`, {
          membership: 'invite',
        })
        assert.deepEqual([status, body['errcode']], [400, 'M_INVALID_PARAM'], key)
      }
    })

    it('who joins by a state event is shown with name and picture, unless the event says others', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      const picture = 'mxc://test.example/bob'
      await bob.call('PUT', `/profile/${escaped(bob.userId)}/avatar_url`, { avatar_url: picture })
      const put = (content: JsonObject) =>
        bob.call('PUT', `${room}/state/m.room.member/${escaped(bob.userId)}`, content)
      const shown = async () => {
        const { displayname, avatar_url } = (await stateOf(alice, roomId, 'm.room.member', bob.userId))!
        return [displayname, avatar_url]
      }
      const { displayname } = await bob.call('GET', `/profile/${escaped(bob.userId)}`)
      await bob.call('POST', `${room}/leave`, {})
      await alice.call('POST', `${room}/invite`, { user_id: bob.userId })
      await put({ membership: 'join' })
      assert.deepEqual(await shown(), [displayname, picture])
      await put({ membership: 'join', displayname: 'Bobby' })
      assert.deepEqual(await shown(), ['Bobby', picture])
    })

    it('a redaction is sent as any other event, too, in rooms of every version', async () => {
      await using people = await openPeople(driver)
      const { alice } = people
      for (const version of ['6', '10', '11', '12']) {
        const made = await alice.call('POST', '/createRoom', { room_version: version })
        const roomId = made['room_id'] as string
        const said = await alice.say(roomId, 'oops')
        const path = `/rooms/${escaped(roomId)}`
        const send = (content: JsonObject, txn: string) =>
          alice.ask('PUT', `${path}/send/m.room.redaction/${txn}`, content)
        const sent = await send({ redacts: said, reason: 'typo' }, `r${version}`)
        assert.equal(sent.status, 200, version)
        const found = await alice.call('GET', `${path}/event/${escaped(said)}`)
        assert.deepEqual(found['content'], {}, version)
        const redaction = await alice.call('GET', `${path}/event/${escaped(sent.body['event_id'] as string)}`)
        assert.deepEqual(
          [redaction['redacts'], (redaction['content'] as JsonObject)['reason']],
          [said, 'typo'],
        )
        for (const wrong of [{}, { redacts: 7 }, { redacts: 'said' }] as JsonObject[]) {
          const { status, body } = await send(
            wrong,
            `w${version}${JSON.stringify(wrong)}`.replaceAll(/\W/g, ''),
          )
          assert.deepEqual([status, body['errcode']], [400, 'M_BAD_JSON'])
        }
      }
    })

    it('a redaction carries what its sender put beside the reason, and redacts what the path names', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      const said = await alice.say(roomId, 'oops')
      const body = { reason: 'typo', 'fi.mau.double_puppet_source': 'bridge', redacts: '$another' }
      const path = `${room}/redact/${escaped(said)}/r1`
      const { event_id: redaction } = await alice.call('PUT', path, body)
      const seen = await bob.call('GET', `${room}/event/${escaped(redaction as string)}`)
      assert.deepEqual(seen['content'], { ...body, redacts: said })
      const bad = await alice.ask('PUT', `${room}/redact/${escaped(said)}/r2`, { reason: 1 })
      assert.deepEqual([bad.status, bad.body['errcode']], [400, 'M_BAD_JSON'])
    })

    it('a room is forgotten only by who left it, is gone for them, and comes back whole when they rejoin', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      await alice.say(roomId, 'before')
      assert.deepEqual(await refusal(bob, `${room}/forget`), [400, 'M_UNKNOWN'])
      await bob.call('POST', `${room}/leave`, { reason: 'tired' })
      assert.equal((await stateOf(alice, roomId, 'm.room.member', bob.userId))!['reason'], 'tired')
      const past = () => bob.ask('GET', `${room}/messages?dir=b&limit=50`)
      assert.equal((await past()).status, 200, 'who left may look back')
      const leftRooms = async (): Promise<string[]> => {
        const filter = JSON.stringify({ room: { include_leave: true } })
        const { rooms } = await bob.firstSync({ filter })
        return Object.keys(((rooms as JsonObject | undefined)?.['leave'] as JsonObject | undefined) ?? {})
      }
      assert.deepEqual(await leftRooms(), [roomId])
      await bob.call('POST', `${room}/forget`, {})
      await bob.call('POST', `${room}/forget`, {})
      assert.equal((await past()).status, 403)
      assert.deepEqual(await leftRooms(), [])
      await bob.call('POST', `${room}/join`, {})
      const { body } = await past()
      const bodies = (body['chunk'] as JsonObject[]).map((event) => (event['content'] as JsonObject)['body'])
      assert.ok(bodies.includes('before'))
      assert.deepEqual((await bob.call('GET', '/joined_rooms'))['joined_rooms'], [roomId])
      const { rooms } = await bob.firstSync()
      assert.ok(((rooms as JsonObject)['join'] as JsonObject)[roomId])
    })
  })
}
