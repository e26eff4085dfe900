import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers } from '../test-server.ts'
import { openPeople, type Person } from '../user-data/test-people.ts'

const escaped = encodeURIComponent

interface Rule {
  readonly rule_id: string
  readonly actions: unknown
  readonly enabled: boolean
  readonly conditions?: unknown
}

async function rulesOf(person: Person, kind: string): Promise<Map<string, Rule>> {
  const { global } = (await person.call('GET', '/pushrules/')) as unknown as {
    global: Record<string, Rule[]>
  }
  return new Map(global[kind]!.map((rule) => [rule.rule_id, rule]))
}

const tagsPath = (person: Person, roomId: string): string =>
  `/user/${escaped(person.userId)}/rooms/${escaped(roomId)}/tags`
const directPath = (person: Person): string => `/user/${escaped(person.userId)}/account_data/m.direct`

/** Mutes the room in both ways that clients know, and tags it. */
async function furnish(person: Person, roomId: string): Promise<void> {
  const conditions = [{ kind: 'event_match', key: 'room_id', pattern: roomId }]
  await person.call('PUT', `/pushrules/global/room/${escaped(roomId)}`, { actions: [] })
  await person.call('PUT', `/pushrules/global/override/${escaped(roomId)}`, { actions: [], conditions })
  await person.call('PUT', `/pushrules/global/override/${escaped(roomId)}/enabled`, { enabled: false })
  await person.call('PUT', `${tagsPath(person, roomId)}/m.favourite`, { order: 0.5 })
  await person.call('PUT', directPath(person), { '@friend:x': ['!other:x', roomId], '@no:x': ['!other:x'] })
}

async function assertFurnished(person: Person, from: string, to: string): Promise<void> {
  assert.deepEqual((await rulesOf(person, 'room')).get(to)?.actions, [])
  const override = (await rulesOf(person, 'override')).get(to)
  assert.deepEqual(override?.conditions, [{ kind: 'event_match', key: 'room_id', pattern: to }])
  assert.equal(override?.enabled, false)
  const { tags } = await person.call('GET', tagsPath(person, to))
  assert.deepEqual(tags, { 'm.favourite': { order: 0.5 } })
  assert.deepEqual(await person.call('GET', directPath(person)), {
    '@friend:x': ['!other:x', from, to],
    '@no:x': ['!other:x'],
  })
}

for (const driver of await findServerDrivers()) {
  describe(`settings for a room that is replaced on ${driver.name}`, { skip: driver.skip }, () => {
    it('go with whoever replaces it, and with whoever follows', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, room, roomId } = people
      for (const person of [alice, bob]) await furnish(person, roomId)
      const made = await alice.call('POST', `${room}/upgrade`, { new_version: '11' })
      const fresh = made['replacement_room'] as string
      await assertFurnished(alice, roomId, fresh)
      assert.equal((await rulesOf(bob, 'room')).has(fresh), false)
      await bob.call('POST', `/join/${escaped(fresh)}`, {})
      await assertFurnished(bob, roomId, fresh)
      await bob.call('DELETE', `/pushrules/global/room/${escaped(fresh)}`)
      await bob.call('POST', `/join/${escaped(fresh)}`, {})
      assert.equal((await rulesOf(bob, 'room')).has(fresh), false, 'what was taken away stays away')
    })

    it('go along where a client replaces it step by step, and not into a room that only says so', async () => {
      await using people = await openPeople(driver)
      const { alice, bob, room, roomId } = people
      for (const person of [alice, bob]) await furnish(person, roomId)
      const create = async (more: JsonObject = {}): Promise<string> =>
        (
          await alice.call('POST', '/createRoom', {
            preset: 'public_chat',
            creation_content: { predecessor: { room_id: roomId } },
            ...more,
          })
        )['room_id'] as string
      const [fresh, false_] = [await create(), await create()]
      await bob.call('POST', `/join/${escaped(fresh)}`, {})
      assert.equal((await rulesOf(bob, 'room')).has(fresh), false)
      await alice.call('PUT', `${room}/state/m.room.tombstone/`, { body: 'moved', replacement_room: fresh })
      for (const person of [alice, bob]) await assertFurnished(person, roomId, fresh)
      await bob.call('POST', `/join/${escaped(false_)}`, {})
      for (const person of [alice, bob]) assert.equal((await rulesOf(person, 'room')).has(false_), false)
    })
  })
}
