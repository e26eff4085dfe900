import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { setStanding } from '../accounts/administer.ts'
import { findServerDrivers } from '../test-server.ts'
import { openTestPeople, type TestPeople } from './test-people.ts'

const idOf = (who: string): UserId => `@${who}:test.example` as UserId
const escaped = (who: string): string => encodeURIComponent(idOf(who))

/** Somebody's request that must be refused: status and errcode. */
async function refusal(
  people: TestPeople,
  who: string | undefined,
  method: string,
  url: string,
  body?: JsonObject,
): Promise<readonly unknown[]> {
  const answer = await people.send(who, { method, url, ...(body === undefined ? {} : { body }) })
  return [answer.status, answer.json()['errcode']]
}

async function openWithAdmin(...args: Parameters<typeof openTestPeople>): Promise<TestPeople> {
  const people = await openTestPeople(...args)
  for (const who of ['root', 'alice', 'bob']) await people.tokenOf(who)
  await setStanding(people.hs, idOf('root'), 'admin', true)
  return people
}

for (const driver of await findServerDrivers()) {
  describe(`account moderation on ${driver.name}`, { skip: driver.skip }, () => {
    for (const [word, property] of [
      ['suspend', 'suspended'],
      ['lock', 'locked'],
    ] as const) {
      it(`administrators ${word} accounts and let them go, and nobody else does`, async () => {
        await using people = await openWithAdmin(driver)
        const url = `/_matrix/client/v1/admin/${word}/${escaped('alice')}`
        assert.deepEqual(await people.call('root', 'GET', url), { [property]: false })
        assert.deepEqual(await people.call('root', 'PUT', url, { [property]: true }), { [property]: true })
        assert.deepEqual(await people.call('root', 'GET', url), { [property]: true })
        const create = await refusal(people, 'alice', 'POST', '/_matrix/client/v3/createRoom', {})
        assert.deepEqual(create, word === 'lock' ? [401, 'M_USER_LOCKED'] : [403, 'M_USER_SUSPENDED'])
        await people.call('root', 'PUT', url, { [property]: false })
        await people.call('alice', 'POST', '/_matrix/client/v3/createRoom', {})
        const body = { [property]: true }
        assert.deepEqual(await refusal(people, 'bob', 'GET', url), [403, 'M_FORBIDDEN'])
        assert.deepEqual(await refusal(people, 'bob', 'PUT', url, body), [403, 'M_FORBIDDEN'])
        assert.deepEqual(await refusal(people, undefined, 'PUT', url, body), [401, 'M_MISSING_TOKEN'])
        const of = (name: string): string => `/_matrix/client/v1/admin/${word}/${encodeURIComponent(name)}`
        const put = (name: string) => refusal(people, 'root', 'PUT', of(name), body)
        assert.deepEqual(await put(idOf('root')), [403, 'M_FORBIDDEN'])
        assert.deepEqual(await put(idOf('nobody')), [404, 'M_NOT_FOUND'])
        assert.deepEqual(await put('@alice:else.example'), [400, 'M_INVALID_PARAM'])
        await setStanding(people.hs, idOf('bob'), 'admin', true)
        assert.deepEqual(await put(idOf('bob')), [403, 'M_FORBIDDEN'])
      })
    }

    it('only administrators are told that they can', async () => {
      await using people = await openWithAdmin(driver)
      const told = async (who: string): Promise<unknown> => {
        const { capabilities } = await people.call(who, 'GET', '/_matrix/client/v3/capabilities')
        return (capabilities as JsonObject)['m.account_moderation']
      }
      assert.deepEqual(await told('root'), { suspend: true, lock: true })
      assert.equal(await told('alice'), undefined)
    })

    it('whence somebody was seen is told to themselves and to administrators', async () => {
      await using people = await openWithAdmin(driver)
      const url = `/_matrix/client/v3/admin/whois/${escaped('alice')}`
      const { devices } = await people.call('alice', 'GET', '/_matrix/client/v3/devices')
      const ids = (devices as JsonObject[]).map((device) => device['device_id'])
      for (const who of ['alice', 'root']) {
        const answer = await people.call(who, 'GET', url)
        assert.equal(answer['user_id'], idOf('alice'))
        assert.deepEqual(Object.keys(answer['devices'] as JsonObject), ids)
      }
      assert.deepEqual(await refusal(people, 'bob', 'GET', url), [403, 'M_FORBIDDEN'])
      const nobody = `/_matrix/client/v3/admin/whois/${escaped('nobody')}`
      assert.deepEqual(await refusal(people, 'root', 'GET', nobody), [404, 'M_NOT_FOUND'])
    })
  })

  describe(`what people ask of their server on ${driver.name}`, { skip: driver.skip }, () => {
    it('the rooms that two share, page by page', async () => {
      await using people = await openTestPeople(driver)
      const shared: string[] = []
      for (let index = 0; index < 3; index++) {
        const made = await people.call('alice', 'POST', '/_matrix/client/v3/createRoom', {
          preset: 'public_chat',
        })
        const roomId = made['room_id'] as string
        await people.call('bob', 'POST', `/_matrix/client/v3/join/${encodeURIComponent(roomId)}`, {})
        shared.push(roomId)
      }
      await people.call('alice', 'POST', '/_matrix/client/v3/createRoom', {})
      await people.call('bob', 'POST', `/_matrix/client/v3/rooms/${encodeURIComponent(shared[0]!)}/leave`, {})
      const ask = '/_matrix/client/v1/mutual_rooms?user_id='
      const joined = shared.slice(1).toSorted()
      assert.deepEqual(await people.call('alice', 'GET', ask + escaped('bob')), { joined, count: 2 })
      const after = `${ask}${escaped('bob')}&from=${encodeURIComponent(joined[0]!)}`
      assert.deepEqual(await people.call('alice', 'GET', after), { joined: joined.slice(1), count: 2 })
      assert.deepEqual(await people.call('alice', 'GET', `${ask}%40else%3Aelse.example`), {
        joined: [],
        count: 0,
      })
      assert.deepEqual(await refusal(people, 'alice', 'GET', ask + escaped('alice')), [
        400,
        'M_INVALID_PARAM',
      ])
      assert.deepEqual(await refusal(people, 'alice', 'GET', `${ask}bob`), [400, 'M_INVALID_PARAM'])
    })

    it('how the operators are reached, where they say it', async () => {
      const url = '/.well-known/matrix/support'
      await using silent = await openTestPeople(driver)
      assert.deepEqual(await refusal(silent, undefined, 'GET', url), [404, 'M_NOT_FOUND'])
      const contacts = [{ role: 'm.role.security', email_address: 'security@example.org' }]
      await using open = await openTestPeople(driver, {
        support: { contacts, page: 'https://example.org/help' },
      })
      const answer = await open.call(undefined, 'GET', url)
      assert.deepEqual(answer, { contacts, support_page: 'https://example.org/help' })
    })

    it('a password for the TURN server, which it can check; nothing, and no refusal, where there is none', async () => {
      const url = '/_matrix/client/v3/voip/turnServer'
      await using without = await openTestPeople(driver)
      assert.deepEqual(await without.call('alice', 'GET', url), {})
      const uris = ['turn:turn.example.org?transport=udp']
      await using people = await openTestPeople(driver, {
        turn: { uris, shared_secret: 'known to both', lifetime_seconds: 600 },
      })
      const answer = await people.call('alice', 'GET', url)
      const username = answer['username'] as string
      const [until, ...user] = username.split(':')
      assert.equal(user.join(':'), idOf('alice'))
      assert.ok(Math.abs(Number(until) - people.hs.clock.now() / 1000 - 600) < 60)
      const expected = createHmac('sha1', 'known to both').update(username).digest('base64')
      assert.deepEqual([answer['password'], answer['uris'], answer['ttl']], [expected, uris, 600])
    })
  })
}
