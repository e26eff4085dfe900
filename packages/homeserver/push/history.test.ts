import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers } from '../test-server.ts'
import { openPeople, type Person } from '../user-data/test-people.ts'

const read = async (who: Person, query = ''): Promise<{ items: JsonObject[]; next: string | undefined }> => {
  const answer = await who.call('GET', `/notifications${query}`)
  return {
    items: answer['notifications'] as JsonObject[],
    next: answer['next_token'] as string | undefined,
  }
}

const idsOf = (items: readonly JsonObject[]): unknown[] =>
  items.map(({ event }) => (event as JsonObject)['event_id'])

for (const driver of await findServerDrivers()) {
  describe(`past notifications on ${driver.name}`, { skip: driver.skip }, () => {
    it('are the events that the rules notify of, newest first, with what was read', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      const first = await alice.say(roomId, 'first')
      await bob.say(roomId, 'mine')
      await alice.say(roomId, 'a notice', { msgtype: 'm.notice' })
      const mention = await alice.say(roomId, 'bob', { 'm.mentions': { user_ids: [bob.userId] } })
      const redacted = await alice.say(roomId, 'redacted')
      await alice.call('PUT', `${room}/redact/${encodeURIComponent(redacted)}/r1`, {})
      const { items, next } = await read(bob)
      assert.equal(next, undefined)
      assert.deepEqual(idsOf(items), [mention, first])
      const [newest, oldest] = items as [JsonObject, JsonObject]
      assert.deepEqual([newest['read'], oldest['read']], [false, true])
      assert.equal(newest['room_id'], roomId)
      assert.equal(newest['ts'], (newest['event'] as JsonObject)['origin_server_ts'])
      assert.deepEqual(newest['actions'], [
        'notify',
        { set_tweak: 'sound', value: 'default' },
        { set_tweak: 'highlight' },
      ])
      assert.deepEqual(idsOf((await read(bob, '?only=highlight')).items), [mention])
      await bob.call('POST', `${room}/receipt/m.read/${encodeURIComponent(mention)}`, {})
      assert.deepEqual(
        (await read(bob)).items.map(({ read: isRead }) => isRead),
        [true, true],
      )
    })

    it('come in pages over many rooms, each once', async () => {
      await using people = await openPeople(driver)
      const { alice, bob } = people
      const rooms: string[] = []
      for (let n = 0; n < 3; n++) {
        const made = await alice.call('POST', '/createRoom', { preset: 'public_chat' })
        rooms.push(made['room_id'] as string)
        await alice.say(rooms[n]!, 'before bob came')
        await bob.call('POST', `/join/${encodeURIComponent(rooms[n]!)}`, {})
      }
      const said: string[] = []
      for (let n = 0; n < 13; n++) said.unshift(await alice.say(rooms[n % 3]!, `message ${n}`))
      const told: unknown[] = []
      for (let query = '?limit=5'; ;) {
        const { items, next } = await read(bob, query)
        told.push(...idsOf(items))
        if (next === undefined) break
        assert.equal(items.length, 5)
        query = `?limit=5&from=${next}`
      }
      assert.deepEqual(told, said)
    })

    it('leave out muted rooms, ignored senders, and rooms that were left', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, roomId, room } = people
      const carol = await people.register('carol')
      await carol.call('POST', `/join/${encodeURIComponent(roomId)}`, {})
      await alice.say(roomId, 'alice')
      const said = await carol.say(roomId, 'carol')
      const loud = await carol.say(roomId, 'bob', { 'm.mentions': { user_ids: [bob.userId] } })
      const account = `/user/${encodeURIComponent(bob.userId)}/account_data/m.ignored_user_list`
      await bob.call('PUT', account, { ignored_users: { [alice.userId]: {} } })
      assert.deepEqual(idsOf((await read(bob)).items), [loud, said])
      await bob.call('PUT', `/pushrules/global/room/${encodeURIComponent(roomId)}`, { actions: [] })
      assert.deepEqual(idsOf((await read(bob)).items), [loud])
      await bob.call('POST', `${room}/leave`, {})
      assert.deepEqual(idsOf((await read(bob)).items), [])
    })

    it('refuse a token that is none', async () => {
      await using people = await openPeople(driver)
      for (const query of ['?from=x', '?from=n', '?from=n-1', '?limit=0', '?limit=x'])
        assert.equal((await people.bob.ask('GET', `/notifications${query}`)).status, 400, query)
    })
  })
}
