import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { SUPPORTED_ROOM_VERSIONS } from '@causeway/matrix/room-versions/rules.ts'
import type { FederatedServer } from '../../test-federation.ts'
import { ok } from '../../test-call.ts'
import type { TestLogin } from '../../test-server.ts'
import {
  carryNewest,
  join,
  makeRoom,
  membershipOf,
  refused,
  say,
  segment,
  sendNewest,
  startNeighbours,
  sync,
  textOf,
  whole,
  type Neighbours,
} from './test-joining.ts'

let neighbours: Neighbours
let one: FederatedServer
let two: FederatedServer
let alice: TestLogin
let bob: TestLogin
before(async () => {
  neighbours = await startNeighbours()
  ;({ one, two, alice, bob } = neighbours)
})
after(() => neighbours[Symbol.asyncDispose]())

/** The members of rooms that a server joins fast do not come before this says so, or is disposed of. */
function holdMembers({ hs }: FederatedServer): Disposable & { come(): void } {
  const hold = Promise.withResolvers<void>()
  const { peers } = hs.joining
  const ask: (typeof peers)['getStateIds'] = peers.getStateIds.bind(peers)
  Object.assign(peers, {
    getStateIds: async (...args: Parameters<typeof ask>) => {
      await hold.promise
      return ask(...args)
    },
  })
  return {
    come: () => hold.resolve(),
    [Symbol.dispose]() {
      hold.resolve()
      Object.assign(peers, { getStateIds: ask })
    },
  }
}

describe('joining a room of another server', () => {
  for (const version of SUPPORTED_ROOM_VERSIONS) {
    it(`brings a public room of version ${version}, which can be read and written in at once`, async () => {
      const roomId = await makeRoom(one, alice, { room_version: version, name: `Room ${version}` })
      await say(one, alice, roomId, 'before')
      await join(two, bob, roomId, one.name)
      assert.equal(await membershipOf(one, alice, roomId, bob.userId), 'join')
      assert.equal(await membershipOf(two, bob, roomId, bob.userId), 'join')
      await say(two, bob, roomId, 'hello')
      const name = await ok(two, bob, 'GET', `/rooms/${segment(roomId)}/state/m.room.name/`)
      assert.equal(name['name'], `Room ${version}`)
      await whole(two)
      const members = await ok(two, bob, 'GET', `/rooms/${segment(roomId)}/joined_members`)
      assert.deepEqual(Object.keys(members['joined'] as JsonObject).toSorted(), [alice.userId, bob.userId])
    })
  }
})

describe('memberships across servers', () => {
  it('invite: the user is shown the room, joins it, and both see it', async () => {
    const roomId = await makeRoom(one, alice, { preset: 'private_chat', name: 'Quiet' })
    assert.match(
      await refused(two, bob, 'POST', `/join/${segment(roomId)}?via=${one.name}`, {}),
      /403 M_FORBIDDEN/,
    )
    const { next_batch: since } = await sync(two, bob)
    await ok(one, alice, 'POST', `/rooms/${segment(roomId)}/invite`, { user_id: bob.userId })
    const shown = (await sync(two, bob, since)).rooms?.invite?.[roomId]
    const types = shown?.invite_state.events.map((event) => event['type'])
    assert.ok(types?.includes('m.room.create') && types.includes('m.room.name'), JSON.stringify(types))
    const own = shown?.invite_state.events.at(-1)
    assert.equal(own?.['state_key'], bob.userId)
    assert.match(own['event_id'] as string, /^\$/)
    // Without any hint: the invitation says whom to ask.
    await ok(two, bob, 'POST', `/rooms/${segment(roomId)}/join`, {})
    assert.equal(await membershipOf(one, alice, roomId, bob.userId), 'join')
    await whole(two)
    assert.equal(await membershipOf(two, bob, roomId, alice.userId), 'join')
    const after = await sync(two, bob, since)
    assert.ok(after.rooms?.join?.[roomId] !== undefined)
    assert.equal(after.rooms?.invite?.[roomId], undefined)
  })

  it('decline an invitation: the room learns of it; without its server, the user is out all the same', async () => {
    const roomId = await makeRoom(one, alice, { preset: 'private_chat', invite: [bob.userId] })
    const { next_batch: since } = await sync(two, bob)
    await ok(two, bob, 'POST', `/rooms/${segment(roomId)}/leave`, { reason: 'no' })
    assert.equal(await membershipOf(one, alice, roomId, bob.userId), 'leave')
    assert.ok((await sync(two, bob, since)).rooms?.leave?.[roomId] !== undefined)
    const other = await makeRoom(one, alice, { preset: 'private_chat', invite: [bob.userId] })
    await one.switchOff()
    try {
      await ok(two, bob, 'POST', `/rooms/${segment(other)}/leave`, {})
    } finally {
      await one.switchOn()
    }
    assert.equal((await sync(two, bob)).rooms?.invite?.[other], undefined)
    assert.equal(await membershipOf(one, alice, other, bob.userId), 'invite')
    // Invited anew, the user can come.
    one.hs.federation.client.heardFrom(two.name)
    two.hs.federation.client.heardFrom(one.name)
    await ok(one, alice, 'POST', `/rooms/${segment(other)}/invite`, { user_id: bob.userId })
    await ok(two, bob, 'POST', `/rooms/${segment(other)}/join`, {})
    assert.equal(await membershipOf(one, alice, other, bob.userId), 'join')
    await whole(two)
  })

  it('take back an invitation: the user learns of it from who invited, and from nobody else', async () => {
    const amy = await one.register('amy')
    for (const who of [alice, amy]) {
      const roomId = await makeRoom(one, alice, { preset: 'private_chat', invite: [amy.userId] })
      await ok(one, amy, 'POST', `/rooms/${segment(roomId)}/join`, {})
      await ok(one, amy, 'POST', `/rooms/${segment(roomId)}/invite`, { user_id: bob.userId })
      const { next_batch: since, rooms } = await sync(two, bob)
      assert.ok(rooms?.invite?.[roomId] !== undefined)
      if (who === amy) {
        const levels = await ok(one, alice, 'GET', `/rooms/${segment(roomId)}/state/m.room.power_levels/`)
        const users = { ...(levels['users'] as JsonObject), [amy.userId]: 50 }
        await ok(one, alice, 'PUT', `/rooms/${segment(roomId)}/state/m.room.power_levels/`, {
          ...levels,
          users,
        })
      }
      await ok(one, who, 'POST', `/rooms/${segment(roomId)}/kick`, { user_id: bob.userId })
      const [answer] = await sendNewest(one, two, roomId)
      const after = await sync(two, bob, since)
      if (who === amy) {
        assert.deepEqual(answer, {})
        const left = after.rooms?.leave?.[roomId] as { timeline: { events: JsonObject[] } }
        assert.deepEqual(
          left.timeline.events.map(({ sender, state_key: key }) => [sender, key]),
          [[amy.userId, bob.userId]],
        )
        assert.equal((await sync(two, bob)).rooms?.invite?.[roomId], undefined)
      } else {
        assert.deepEqual(answer, { error: 'This server is not in the room' })
        assert.equal(after.rooms?.leave?.[roomId], undefined)
        assert.ok((await sync(two, bob)).rooms?.invite?.[roomId] !== undefined)
      }
    }
  })

  it('restricted: membership of the other room lets the user in, and nothing else does', async () => {
    const club = await makeRoom(one, alice)
    const allow = [{ type: 'm.room_membership', room_id: club }]
    const rule = {
      type: 'm.room.join_rules',
      state_key: '',
      content: { join_rule: 'restricted', allow } as unknown as JsonObject,
    }
    const roomId = await makeRoom(one, alice, {
      preset: 'private_chat',
      initial_state: [rule],
      power_level_content_override: { invite: 50 },
      // With a name the members that were left out of the answer lack who vouches for the join, too.
      name: 'Members only',
    })
    const path = `/join/${segment(roomId)}?via=${one.name}`
    assert.match(await refused(two, bob, 'POST', path, {}), /403 M_FORBIDDEN/)
    await join(two, bob, club, one.name)
    await ok(two, bob, 'POST', path, {})
    await whole(two)
    const own = await ok(
      two,
      bob,
      'GET',
      `/rooms/${segment(roomId)}/state/m.room.member/${segment(bob.userId)}`,
    )
    assert.equal(own['join_authorised_via_users_server'], alice.userId)
    // Who is in it needs nobody for another name, and cannot claim somebody.
    await ok(two, bob, 'PUT', `/rooms/${segment(roomId)}/state/m.room.member/${segment(bob.userId)}`, {
      membership: 'join',
      displayname: 'Bobby',
      join_authorised_via_users_server: 'unused',
    })
    await carryNewest(two, one, roomId)
    const renamed = await ok(
      one,
      alice,
      'GET',
      `/rooms/${segment(roomId)}/state/m.room.member/${segment(bob.userId)}`,
    )
    assert.deepEqual(renamed, { membership: 'join', displayname: 'Bobby' })
    // A second user of the server: nobody there has the power to let them in, so that the other server is asked.
    const carol = await two.register('carol')
    await join(two, carol, club, one.name)
    await carryNewest(two, one, club)
    await ok(two, carol, 'POST', path, {})
    assert.equal(await membershipOf(one, alice, roomId, carol.userId), 'join')
    assert.equal(await membershipOf(two, bob, roomId, carol.userId), 'join')
    await whole(two)
    // Once nobody of ours is in the other room, what we remember of it vouches for nobody.
    const amos = await one.register('amos')
    await ok(one, amos, 'POST', `/rooms/${segment(club)}/join`, {})
    await carryNewest(one, two, club)
    assert.equal((await two.hs.rooms.members.roomsOf(amos.userId as UserId)).joined.has(club as RoomId), true)
    for (const who of [bob, carol]) await ok(two, who, 'POST', `/rooms/${segment(club)}/leave`, {})
    const asked = one.hs.federation.client.request(two.name, {
      method: 'GET',
      path: `/_matrix/federation/v1/make_join/${segment(roomId)}/${segment(amos.userId)}`,
      query: SUPPORTED_ROOM_VERSIONS.map((version) => ['ver', version] as const),
    })
    await assert.rejects(asked, /none of the rooms whose members may join/)
  })

  it('ban: who is banned, or shut out by the ACL, is refused by a sentence that says so', async () => {
    const roomId = await makeRoom(one, alice)
    await ok(one, alice, 'POST', `/rooms/${segment(roomId)}/ban`, { user_id: bob.userId })
    const path = `/join/${segment(roomId)}?via=${one.name}`
    const answer = await two.request('POST', `/_matrix/client/v3${path}`, { token: bob.token, body: {} })
    assert.equal(answer.status, 403)
    assert.match(textOf(answer.json()['error']), /banned/)
    await ok(one, alice, 'POST', `/rooms/${segment(roomId)}/unban`, { user_id: bob.userId })
    await ok(one, alice, 'PUT', `/rooms/${segment(roomId)}/state/m.room.server_acl/`, {
      allow: ['*'],
      deny: [two.name],
    })
    const shut = await two.request('POST', `/_matrix/client/v3${path}`, { token: bob.token, body: {} })
    assert.equal(shut.status, 403)
    assert.match(textOf(shut.json()['error']), /access control list/)
  })

  it('leave and come back: the room is what it became meanwhile, and its past is kept', async () => {
    const roomId = await makeRoom(one, alice, { name: 'First' })
    await join(two, bob, roomId, one.name)
    await whole(two)
    await say(two, bob, roomId, 'from the first stay')
    const dave = await one.register(`dave${roomId.length}`)
    await ok(two, bob, 'POST', `/rooms/${segment(roomId)}/leave`, {})
    // The other server learns of the leave by the next join.
    await ok(one, alice, 'PUT', `/rooms/${segment(roomId)}/state/m.room.name/`, { name: 'Second' })
    await ok(one, dave, 'POST', `/rooms/${segment(roomId)}/join`, {})
    await join(two, bob, roomId, one.name)
    await whole(two)
    const name = await ok(two, bob, 'GET', `/rooms/${segment(roomId)}/state/m.room.name/`)
    assert.equal(name['name'], 'Second')
    assert.equal(await membershipOf(two, bob, roomId, dave.userId), 'join')
    const { chunk } = await ok(two, bob, 'GET', `/rooms/${segment(roomId)}/messages?dir=b&limit=50`)
    const bodies = (chunk as JsonObject[]).map((event) => (event['content'] as JsonObject)['body'])
    assert.ok(bodies.includes('from the first stay'))
  })

  it('go back to when another server came in, by the number that its join has as part of the history', async () => {
    const roomId = await makeRoom(one, alice)
    await say(one, alice, roomId, 'before')
    await join(two, bob, roomId, one.name)
    await whole(two)
    const read = (): Promise<{ from_nid: number; nid: number; flags: number }[]> =>
      two.hs.db.query(
        `SELECT s.from_nid, e.nid, e.flags FROM room_servers s
         JOIN rooms r ON r.nid = s.room_nid
         JOIN memberships m ON m.room_nid = s.room_nid AND m.user_id = ?
         JOIN events e ON e.nid = m.event_nid
         WHERE r.room_id = ? AND s.server_name = ?`,
        [alice.userId, roomId, one.name],
      )
    const [held] = await read()
    assert.equal(held!.flags & EventFlag.outlier, EventFlag.outlier)
    assert.equal(held!.from_nid, held!.nid)
    const { chunk } = await ok(two, bob, 'GET', `/rooms/${segment(roomId)}/messages?dir=b&limit=50`)
    assert.ok((chunk as JsonObject[]).some((event) => event['type'] === 'm.room.create'))
    const [placed] = await read()
    assert.equal(placed!.flags & EventFlag.outlier, 0)
    assert.notEqual(placed!.nid, held!.nid)
    assert.equal(placed!.from_nid, placed!.nid)
  })

  it('show a fast-joined room to lazy clients at once, to others when its members are there', async () => {
    const roomId = await makeRoom(one, alice)
    const { next_batch: since } = await sync(two, bob)
    const { next_batch: lazySince } = await sync(two, bob, undefined, true)
    using members = holdMembers(two)
    await join(two, bob, roomId, one.name)
    assert.ok((await sync(two, bob, lazySince, true)).rooms?.join?.[roomId] !== undefined)
    const early = await sync(two, bob, since)
    assert.equal(early.rooms?.join?.[roomId], undefined)
    await say(two, bob, roomId, 'written while members are missing')
    members.come()
    await whole(two)
    const late = (await sync(two, bob, early.next_batch)).rooms?.join?.[roomId]
    const all = [...(late?.state.events ?? []), ...(late?.timeline.events ?? [])]
    assert.ok(all.some((event) => event['state_key'] === alice.userId))
    assert.ok(
      all.some((event) => (event['content'] as JsonObject)['body'] === 'written while members are missing'),
    )
  })

  it('reads the last messages of a fast-joined room before its members are there, and the rest then', async () => {
    const roomId = await makeRoom(one, alice)
    const carol = await one.register('carol-of-the-messages')
    await say(one, alice, roomId, 'before she came')
    await ok(one, carol, 'POST', `/rooms/${segment(roomId)}/join`, {})
    for (const body of ['one', 'two', 'three']) await say(one, carol, roomId, body)
    using members = holdMembers(two)
    const page = async (from?: string): Promise<{ bodies: unknown[]; end: string | undefined }> => {
      const query = `dir=b&limit=50${from === undefined ? '' : `&from=${segment(from)}`}`
      const { chunk, end } = await ok(two, bob, 'GET', `/rooms/${segment(roomId)}/messages?${query}`)
      const said = (chunk as JsonObject[]).filter(({ type }) => type === 'm.room.message')
      return {
        bodies: said.map(({ content }) => (content as JsonObject)['body']),
        end: end as string | undefined,
      }
    }
    await join(two, bob, roomId, one.name)
    const early = await page()
    assert.equal(two.hs.rooms.partial.list().length, 1, 'its members are on their way')
    assert.deepEqual(early.bodies, ['three', 'two', 'one'])
    members.come()
    await whole(two)
    const late = await page(early.end)
    assert.deepEqual(late.bodies, ['before she came'])
    assert.deepEqual((await page()).bodies, ['three', 'two', 'one', 'before she came'])
  })

  it('hears a fast-joined room before its members are there, tells nobody its state, and then of their devices', async () => {
    const roomId = await makeRoom(one, alice, {
      name: 'Named, so that nobody in it is told',
      initial_state: [
        { type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
      ],
    })
    const [carol, dora] = [await one.register('carol'), await one.register('dora')]
    for (const who of [carol, dora]) await ok(one, who, 'POST', `/rooms/${segment(roomId)}/join`, {})
    const { next_batch: since } = await sync(two, bob, undefined, true)
    using members = holdMembers(two)
    await join(two, bob, roomId, one.name)
    await say(one, carol, roomId, 'hello')
    await carryNewest(one, two, roomId)
    await two.hs.receiving.inbox.idle()
    await one.hs.federation.client.request(two.name, {
      method: 'PUT',
      path: '/_matrix/federation/v1/send/typing-in-a-partial-room',
      body: {
        origin: one.name,
        origin_server_ts: one.hs.clock.now(),
        pdus: [],
        edus: [{ edu_type: 'm.typing', content: { room_id: roomId, user_id: carol.userId, typing: true } }],
      },
    })
    const early = await sync(two, bob, since, true)
    const shown = early.rooms?.join?.[roomId]
    const message = shown?.timeline.events.find(({ sender }) => sender === carol.userId)
    assert.deepEqual(message?.['content'], { msgtype: 'm.text', body: 'hello' })
    assert.ok(
      shown?.state.events.some((event) => event['state_key'] === carol.userId),
      'who speaks is told',
    )
    assert.deepEqual(two.hs.typing.of(roomId as RoomId)?.userIds, [carol.userId])
    const asked = one.hs.federation.client.request(two.name, {
      method: 'GET',
      path: `/_matrix/federation/v1/state_ids/${segment(roomId)}`,
      query: [['event_id', message?.['event_id'] as string]],
    })
    await assert.rejects(asked, /403/)
    members.come()
    await whole(two)
    const late = await sync(two, bob, early.next_batch, true)
    assert.ok(!early.device_lists?.changed.includes(dora.userId))
    assert.ok(late.device_lists?.changed.includes(dora.userId), JSON.stringify(late.device_lists))
  })
})
