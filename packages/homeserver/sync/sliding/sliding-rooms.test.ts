import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers } from '../../test-server.ts'
import { openPeople, type Person } from '../../user-data/test-people.ts'
import { bodiesIn, openSlider, orderIn, roomIdsIn, roomIn, stateIn, window } from './test-slider.ts'

const escaped = encodeURIComponent

async function createRoom(person: Person, more: JsonObject = {}): Promise<string> {
  return (await person.call('POST', '/createRoom', { preset: 'public_chat', ...more }))['room_id'] as string
}

for (const driver of await findServerDrivers()) {
  describe(`rooms by sliding sync on ${driver.name}`, { skip: driver.skip }, () => {
    it('come in windows, the newest first, whole at first and then what is new', async () => {
      await using people = await openPeople(driver)
      const { server, alice, bob, roomId } = people
      const second = await createRoom(alice, { name: 'Second', topic: 'two' })
      const third = await createRoom(alice, { name: 'Third' })
      await bob.say(roomId, 'hello')
      const slider = openSlider(server, alice.token, window(1))
      const first = await slider.next()
      assert.deepEqual(orderIn(first), [roomId, third])
      assert.equal((first['lists'] as Record<string, JsonObject>)['all']!['count'], 3)
      assert.deepEqual(new Set(roomIdsIn(first)), new Set([roomId, third]))
      const told = roomIn(first, roomId)!
      assert.equal(told['initial'], true)
      assert.equal(told['membership'], 'join')
      assert.equal(told['joined_count'], 2)
      assert.equal(told['invited_count'], 0)
      assert.equal(told['limited'], true)
      assert.equal(told['num_live'], 0)
      assert.equal(told['notification_count'], 1)
      assert.deepEqual(told['heroes'], [{ user_id: bob.userId, displayname: 'bob' }])
      assert.deepEqual(bodiesIn(told), ['hello'])
      assert.equal((told['timeline'] as unknown[]).length, 5)
      assert.equal(roomIn(first, third)!['name'], 'Third')
      assert.equal(roomIn(first, third)!['heroes'], undefined)

      const nothing = await slider.next()
      assert.deepEqual(roomIdsIn(nothing), [])
      assert.deepEqual(orderIn(nothing), [roomId, third])

      await alice.say(second, 'up')
      await bob.say(roomId, 'again')
      const next = await slider.next()
      assert.deepEqual(orderIn(next), [roomId, second])
      const again = roomIn(next, roomId)!
      assert.equal(again['initial'], undefined)
      assert.equal(again['limited'], false)
      assert.equal(again['num_live'], 1)
      assert.deepEqual(bodiesIn(again), ['again'])
      assert.equal(again['joined_count'], undefined)
      assert.ok((again['bump_stamp'] as number) > (told['bump_stamp'] as number))
      const up = roomIn(next, second)!
      assert.equal(up['initial'], true)
      assert.equal(up['num_live'], 1)
      assert.equal(up['name'], 'Second')

      await alice.say(third, 'while out of sight')
      await alice.say(roomId, 'in sight')
      const back = await slider.next(window(2))
      assert.deepEqual(bodiesIn(roomIn(back, third)), ['while out of sight'])
      assert.equal(roomIn(back, third)!['initial'], undefined, 'it was told before')
      assert.deepEqual(bodiesIn(roomIn(back, roomId)), ['in sight'])
      assert.equal(roomIn(back, second), undefined)
      assert.deepEqual(roomIdsIn(await slider.next(window(2))), [])
    })

    it('page backwards from where their timeline begins', async () => {
      await using people = await openPeople(driver)
      const { server, alice, bob, roomId, room } = people
      for (let at = 0; at < 8; at++) await bob.say(roomId, `m${at}`)
      const slider = openSlider(server, alice.token, window(9, { timeline_limit: 3 }))
      const told = roomIn(await slider.next(), roomId)!
      assert.deepEqual(bodiesIn(told), ['m5', 'm6', 'm7'])
      const page = await alice.call(
        'GET',
        `${room}/messages?dir=b&limit=2&from=${told['prev_batch'] as string}`,
      )
      assert.deepEqual(
        (page['chunk'] as JsonObject[]).map(({ content }) => (content as JsonObject)['body']),
        ['m4', 'm3'],
      )
      for (let at = 8; at < 13; at++) await bob.say(roomId, `m${at}`)
      const gap = roomIn(await slider.next(), roomId)!
      assert.equal(gap['limited'], true)
      assert.equal(gap['num_live'], 3)
      assert.deepEqual(bodiesIn(gap), ['m10', 'm11', 'm12'])
    })

    it('are told further back when more of them is asked for, and only once', async () => {
      await using people = await openPeople(driver)
      const { server, alice, bob, roomId } = people
      for (let at = 0; at < 8; at++) await bob.say(roomId, `m${at}`)
      const slider = openSlider(server, alice.token, window(9, { timeline_limit: 1 }))
      await slider.next()
      const subscribed = {
        ...window(9, { timeline_limit: 1 }),
        room_subscriptions: {
          [roomId]: { timeline_limit: 4, required_state: [['m.room.create', '']] },
        },
      }
      const more = roomIn(await slider.next(subscribed), roomId)!
      assert.deepEqual(bodiesIn(more), ['m4', 'm5', 'm6', 'm7'])
      assert.equal(more['unstable_expanded_timeline'], true)
      assert.equal(more['initial'], undefined)
      assert.equal(more['num_live'], 0)
      assert.deepEqual(stateIn(more), ['m.room.create|'])
      assert.deepEqual(roomIdsIn(await slider.next(subscribed)), [])
      await slider.next()
      assert.deepEqual(roomIdsIn(await slider.next(subscribed)), [], 'it has that already')
    })

    it('bring the state that is asked for: by name, by type, by key, of the user, and of who speaks', async () => {
      await using people = await openPeople(driver, { room: { name: 'State', topic: 'here' } })
      const { server, alice, bob, roomId, room } = people
      const carol = await people.register('carol')
      await carol.call('POST', `${room}/join`, {})
      await bob.say(roomId, 'hello')
      const told = async (required: unknown, timelineLimit = 1): Promise<string[]> => {
        const slider = openSlider(server, alice.token, {})
        const more = { required_state: required as never, timeline_limit: timelineLimit }
        return stateIn(roomIn(await slider.next(window(9, more)), roomId))
      }
      assert.deepEqual(await told([['m.room.name', '']]), ['m.room.name|'])
      assert.deepEqual(await told([['m.room.member', '$ME']]), [`m.room.member|${alice.userId}`])
      assert.deepEqual(await told([['m.room.member', '$LAZY']]), [`m.room.member|${bob.userId}`])
      assert.deepEqual(
        await told([['m.room.member', '*']]),
        [alice, bob, carol].map(({ userId }) => `m.room.member|${userId}`).toSorted(),
      )
      assert.deepEqual(await told([['*', carol.userId]]), [`m.room.member|${carol.userId}`])
      const whole = await alice.call('GET', `${room}/state`)
      assert.equal((await told([['*', '*']])).length, (whole as unknown as unknown[]).length)
      assert.deepEqual(await told([['m.no.such', '']]), [])
    })

    it('bring state that changes, that is new to what is asked for, and members lazily and once', async () => {
      await using people = await openPeople(driver, { room: { name: 'State', topic: 'here' } })
      const { server, alice, bob, roomId, room } = people
      await bob.say(roomId, 'hello')
      const asked = (...required: string[][]): JsonObject =>
        window(9, { required_state: required as never, timeline_limit: 1 })
      const base = [
        ['m.room.name', ''],
        ['m.room.member', '$LAZY'],
      ]
      const slider = openSlider(server, alice.token, asked(...base))
      assert.deepEqual(stateIn(roomIn(await slider.next(), roomId)), [
        `m.room.member|${bob.userId}`,
        'm.room.name|',
      ])
      await bob.say(roomId, 'again')
      assert.deepEqual(stateIn(roomIn(await slider.next(), roomId)), [], 'bob was told')
      await alice.call('PUT', `${room}/state/m.room.topic/`, { topic: 'not asked for' })
      assert.deepEqual(stateIn(roomIn(await slider.next(), roomId)), [`m.room.member|${alice.userId}`])
      await alice.call('PUT', `${room}/state/m.room.name/`, { name: 'Renamed' })
      const renamed = roomIn(await slider.next(), roomId)!
      assert.equal(renamed['name'], 'Renamed')
      assert.deepEqual(stateIn(renamed), ['m.room.name|'])
      const widened = roomIn(await slider.next(asked(...base, ['m.room.topic', ''])), roomId)
      assert.deepEqual(stateIn(widened), ['m.room.topic|'])
      assert.deepEqual(bodiesIn(widened), [])
      assert.deepEqual(roomIdsIn(await slider.next()), [])
      assert.deepEqual(roomIdsIn(await slider.next(asked(...base, ['m.room.topic', '']))), [], 'it has that')
      await slider.next()
      await alice.call('PUT', `${room}/state/m.room.topic/`, { topic: 'changed meanwhile' })
      await slider.next()
      const later = roomIn(await slider.next(asked(...base, ['m.room.topic', ''])), roomId)
      assert.deepEqual(stateIn(later), ['m.room.topic|'])
      const carol = await people.register('carol')
      await carol.call('POST', `${room}/join`, {})
      const joined = roomIn(await slider.next(), roomId)!
      assert.deepEqual(stateIn(joined), [`m.room.member|${carol.userId}`])
      assert.equal(joined['joined_count'], 3)
    })

    it('bring state with what it took the place of, as the timeline tells it', async () => {
      await using people = await openPeople(driver)
      const { server, alice, bob, roomId, room } = people
      const required = { required_state: [['m.room.member', '*']], timeline_limit: 5 }
      const slider = openSlider(server, alice.token, window(9, required))
      await slider.next()
      await bob.call('POST', `${room}/leave`, {})
      const told = roomIn(await slider.next(), roomId)!
      const [state] = told['required_state'] as JsonObject[]
      assert.deepEqual(state, (told['timeline'] as JsonObject[]).at(-1))
      const { prev_content: before } = state!['unsigned'] as { prev_content?: JsonObject }
      assert.equal(before?.['displayname'], 'bob')
    })

    it('are told anew to who left and came back, and that they are over to who left', async () => {
      await using people = await openPeople(driver)
      const { server, alice, bob, roomId, room } = people
      const other = await createRoom(bob, { name: 'Other' })
      const slider = openSlider(server, bob.token, window(9, { required_state: [['m.room.member', '$ME']] }))
      await slider.next()
      await bob.call('POST', `${room}/leave`, {})
      await alice.say(roomId, 'not for bob')
      const left = await slider.next()
      const over = roomIn(left, roomId)!
      assert.equal(over['membership'], 'leave')
      assert.equal(over['initial'], undefined)
      assert.deepEqual(bodiesIn(over), [])
      assert.deepEqual(stateIn(over), [`m.room.member|${bob.userId}`])
      assert.deepEqual(orderIn(left), [roomId, other])
      assert.deepEqual(orderIn(await slider.next()), [other])
      await bob.call('POST', `${room}/join`, {})
      const again = roomIn(await slider.next(), roomId)!
      assert.equal(again['initial'], true)
      assert.ok(bodiesIn(again).includes('not for bob'), 'its history is shared')

      await bob.call('POST', `${room}/leave`, {})
      await bob.call('POST', `${room}/join`, {})
      assert.equal(roomIn(await slider.next(), roomId)!['initial'], true)
      await bob.call('PUT', `/profile/${escaped(bob.userId)}/displayname`, { displayname: 'Bobby' })
      for (let isNamed = false; !isNamed;) {
        const named = roomIn(await slider.next(undefined, 30_000), roomId)
        assert.equal(named?.['initial'], undefined, 'a change of name is no coming in')
        isNamed = JSON.stringify(named ?? {}).includes('Bobby')
      }
    })

    it('tell of kicks and bans until they are forgotten', async () => {
      await using people = await openPeople(driver)
      const { server, alice, bob, roomId, room } = people
      const slider = openSlider(server, bob.token, window(9))
      await slider.next()
      await alice.call('POST', `${room}/kick`, { user_id: bob.userId, reason: 'out' })
      const kicked = await slider.next()
      assert.equal(roomIn(kicked, roomId)!['membership'], 'leave')
      assert.deepEqual(orderIn(await slider.next()), [roomId])
      await alice.call('POST', `${room}/ban`, { user_id: bob.userId })
      assert.equal(roomIn(await slider.next(), roomId)!['membership'], 'ban')
      const fresh = openSlider(server, bob.token, { ...window(9), conn_id: 'fresh' })
      assert.equal(roomIn(await fresh.next(), roomId)!['membership'], 'ban')
      await bob.call('POST', `${room}/forget`, {})
      assert.deepEqual(orderIn(await slider.next()), [])
    })

    it('are invitations and knocks with what the room is, and are over when they are declined', async () => {
      await using people = await openPeople(driver)
      const { server, alice, bob } = people
      const secret = await createRoom(alice, { preset: 'private_chat', name: 'Secret' })
      await alice.say(secret, 'not for bob')
      const slider = openSlider(server, bob.token, window(9, { required_state: [['*', '*']] }))
      await slider.next()
      await alice.call('POST', `/rooms/${escaped(secret)}/invite`, { user_id: bob.userId })
      const invited = roomIn(await slider.next(), secret)!
      assert.equal(invited['initial'], true)
      assert.equal(invited['timeline'], undefined)
      assert.equal(invited['required_state'], undefined)
      const stripped = invited['invite_state'] as JsonObject[]
      const name = stripped.find(({ type }) => type === 'm.room.name')
      assert.deepEqual(name?.['content'], { name: 'Secret' })
      assert.ok(stripped.some((event) => event['state_key'] === bob.userId))
      await bob.call('POST', `/rooms/${escaped(secret)}/leave`, {})
      const declined = roomIn(await slider.next(), secret)!
      assert.equal(declined['membership'], 'leave')
      assert.deepEqual(stateIn(declined), [`m.room.member|${bob.userId}`])
      assert.ok(!JSON.stringify(declined).includes('not for bob'))
      assert.equal(roomIn(await slider.next(), secret), undefined)

      const knockable = await createRoom(alice, {
        initial_state: [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } }],
      })
      await bob.call('POST', `/knock/${escaped(knockable)}`, {})
      const knocked = roomIn(await slider.next(), knockable)!
      assert.equal(knocked['membership'], 'knock')
      assert.ok((knocked['invite_state'] as unknown[]).length > 0)
      await alice.call('POST', `/rooms/${escaped(knockable)}/invite`, { user_id: bob.userId })
      assert.equal(roomIn(await slider.next(), knockable)!['membership'], 'invite')
      await bob.call('POST', `/rooms/${escaped(knockable)}/join`, {})
      assert.equal(roomIn(await slider.next(), knockable)!['initial'], true)
    })

    it('leave out whom the user ignores, and what they may not see', async () => {
      await using people = await openPeople(driver)
      const { server, alice, bob, roomId, room } = people
      await alice.call('PUT', `${room}/state/m.room.history_visibility/`, { history_visibility: 'joined' })
      await bob.say(roomId, 'before carol')
      const carol = await people.register('carol')
      await carol.call('POST', `${room}/join`, {})
      const slider = openSlider(server, carol.token, window(9, { timeline_limit: 20 }))
      assert.deepEqual(bodiesIn(roomIn(await slider.next(), roomId)), [])
      await carol.call('PUT', `/user/${escaped(carol.userId)}/account_data/m.ignored_user_list`, {
        ignored_users: { [bob.userId]: {} },
      })
      await bob.say(roomId, 'nobody listens')
      const slip = await alice.say(roomId, 'a slip')
      assert.deepEqual(bodiesIn(roomIn(await slider.next(), roomId)), ['a slip'])
      const annoying = await createRoom(bob)
      await bob.call('POST', `/rooms/${escaped(annoying)}/invite`, { user_id: carol.userId })
      assert.equal(roomIn(await slider.next(), annoying), undefined)
      await alice.call('PUT', `${room}/redact/${escaped(slip)}/r1`, {})
      const redacted = roomIn(await slider.next(), roomId)!
      const types = (redacted['timeline'] as JsonObject[]).map(({ type }) => type)
      assert.deepEqual(types, ['m.room.redaction'])
      assert.deepEqual(
        bodiesIn(roomIn(await openSlider(server, carol.token, window(9)).next(), roomId)),
        [undefined],
        'the redacted form',
      )
    })
  })
}
