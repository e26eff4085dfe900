import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { command as close } from '../admin/commands/report-close.ts'
import { command as list } from '../admin/commands/report-list.ts'
import { command as show } from '../admin/commands/report-show.ts'
import { findServerDrivers } from '../test-server.ts'
import { openTestPeople, type TestPeople } from './test-people.ts'

const escaped = encodeURIComponent
const actor = { name: 'test' }
const idOf = (who: string): UserId => `@${who}:test.example` as UserId

async function listed({ hs }: TestPeople, input: { closed?: boolean } = {}): Promise<JsonObject[]> {
  return (await list.run(hs, input, actor)) as JsonObject[]
}

const wordsOf = (reports: readonly JsonObject[]): (JsonValue | undefined)[][] =>
  reports.map(({ reporter, about, user, reason }) => [reporter, about, user, reason])

for (const driver of await findServerDrivers()) {
  describe(`reports on ${driver.name}`, { skip: driver.skip }, () => {
    it('of events, rooms and people reach the operators once, who look at them and close them', async () => {
      await using people = await openTestPeople(driver)
      const made = await people.call('alice', 'POST', '/_matrix/client/v3/createRoom', {
        preset: 'public_chat',
      })
      const roomId = made['room_id'] as string
      await people.call('bob', 'POST', `/_matrix/client/v3/join/${escaped(roomId)}`, {})
      const eventId = await people.say('bob', roomId, { msgtype: 'm.text', body: 'buy this' })
      const report = (url: string, body: JsonObject): Promise<JsonObject> =>
        people.call('alice', 'POST', `/_matrix/client/v3${url}`, body)
      const ofEvent = `/rooms/${escaped(roomId)}/report/${escaped(eventId)}`
      await report(ofEvent, { reason: 'spam', score: -100 })
      await report(ofEvent, { reason: 'spam again' })
      const [found] = await listed(people)
      assert.deepEqual(wordsOf(await listed(people)), [[idOf('alice'), eventId, idOf('bob'), 'spam']])
      const shown = (await show.run(people.hs, { report: found!['report'] as string }, actor)) as JsonObject
      assert.deepEqual([shown['type'], shown['closed']], ['m.room.message', 'no'])
      assert.deepEqual(shown['content'], { msgtype: 'm.text', body: 'buy this' })
      await close.run(people.hs, { report: found!['report'] as string }, actor)
      assert.deepEqual(await listed(people), [])
      assert.equal((await listed(people, { closed: true })).length, 1)
      await assert.rejects(close.run(people.hs, { report: found!['report'] as string }, actor), {
        errcode: 'M_NOT_FOUND',
      })
      await report(`/rooms/${escaped(roomId)}/report`, { reason: 'a room of spam' })
      await report(`/users/${escaped(idOf('bob'))}/report`, { reason: 'a spammer' })
      await report('/users/%40evil%3Aelse.example/report', { reason: 'from far away' })
      const abouts = new Set((await listed(people)).map(({ about }) => about))
      assert.deepEqual(abouts, new Set([roomId, idOf('bob'), '@evil:else.example']))
    })

    it('tell nobody what exists', async () => {
      await using people = await openTestPeople(driver)
      const made = await people.call('alice', 'POST', '/_matrix/client/v3/createRoom', {})
      const roomId = made['room_id'] as string
      const eventId = await people.say('alice', roomId, { msgtype: 'm.text', body: 'among us' })
      const ask = async (url: string): Promise<unknown> => {
        const answer = await people.send('bob', {
          method: 'POST',
          url: `/_matrix/client/v3${url}`,
          body: { reason: 'is it there?' },
        })
        return [answer.status, answer.json()]
      }
      assert.deepEqual(
        await ask(`/rooms/${escaped(roomId)}/report/${escaped(eventId)}`),
        await ask(`/rooms/${escaped('!none:test.example')}/report/${escaped('$none')}`),
      )
      assert.deepEqual(
        await ask(`/rooms/${escaped(roomId)}/report`),
        await ask(`/rooms/${escaped('!none:test.example')}/report`),
      )
      assert.deepEqual(
        await ask(`/users/${escaped(idOf('alice'))}/report`),
        await ask(`/users/${escaped(idOf('nobody'))}/report`),
      )
      const abouts = new Set((await listed(people)).map(({ about }) => about))
      assert.deepEqual(abouts, new Set([roomId, idOf('alice')]))
    })
  })
}
