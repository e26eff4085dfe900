import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { textOf } from '@causeway/testkit/text-of.ts'
import { findServerDrivers } from '../test-server.ts'
import { openPeople } from '../user-data/test-people.ts'

const escaped = encodeURIComponent
const TYPE = 'org.example.device'

for (const driver of await findServerDrivers()) {
  describe(`state that has an owner (MSC3757) on ${driver.name}`, { skip: driver.skip }, () => {
    for (const version of ['org.matrix.msc3757.10', 'org.matrix.msc3757.11']) {
      it(`is set under an id with anything behind it by its owner, and by who has more power (${version})`, async () => {
        const room = {
          room_version: version,
          power_level_content_override: { events: { [TYPE]: 0 } },
        }
        await using people = await openPeople(driver, { room })
        const { alice, bob, room: path } = people
        const put = async (who: typeof alice, stateKey: string, content: JsonObject): Promise<unknown> => {
          const answer = await who.ask('PUT', `${path}/state/${TYPE}/${escaped(stateKey)}`, content)
          return answer.status === 200 ? 200 : `${answer.status} ${textOf(answer.body['errcode'])}`
        }
        const phone = `${bob.userId}_PHONE:!@#$`
        assert.equal(await put(bob, phone, { by: 'bob' }), 200)
        assert.equal(await put(bob, `${bob.userId}_TABLET`, {}), 200, 'one for each device')
        assert.equal(await put(bob, `${alice.userId}_PHONE`, {}), '403 M_FORBIDDEN')
        assert.equal(await put(alice, phone, { by: 'alice' }), 200)
        assert.deepEqual(await bob.call('GET', `${path}/state/${TYPE}/${escaped(phone)}`), { by: 'alice' })
        for (const who of [alice, bob]) {
          for (const stateKey of ['@oops', `${who.userId}@_PHONE`])
            assert.equal(await put(who, stateKey, {}), '400 M_BAD_JSON', stateKey)
        }
        const create = await alice.call('GET', `${path}/state/m.room.create/`)
        assert.equal(create['room_version'], version)
      })
    }

    it('is a matter of its room versions: elsewhere a key under an id is the whole id', async () => {
      await using people = await openPeople(driver, {
        room: { power_level_content_override: { events: { [TYPE]: 0 } } },
      })
      const { alice, bob, room: path } = people
      for (const [who, stateKey, status] of [
        [bob, bob.userId, 200],
        [bob, `${bob.userId}_PHONE`, 403],
        [alice, bob.userId, 403],
        [alice, '@oops', 403],
      ] as const) {
        const answer = await who.ask('PUT', `${path}/state/${TYPE}/${escaped(stateKey)}`, {})
        assert.equal(answer.status, status, stateKey)
      }
    })
  })
}
