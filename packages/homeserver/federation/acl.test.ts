import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers, type TestLogin, type TestServer } from '../test-server.ts'
import { FederationError, type FederationRequest } from './federation-client.ts'
import { createTestPeers, joinFromElsewhere } from './test-peers.ts'

/** What the specification has an access control list protect; `:room` and `:event` stand for what is there. */
const PROTECTED: readonly (readonly [FederationRequest['method'], string, body?: JsonObject])[] = [
  ['GET', 'v1/make_join/:room/:user?ver=12'],
  ['PUT', 'v1/send_join/:room/:event', {}],
  ['PUT', 'v2/send_join/:room/:event', {}],
  ['GET', 'v1/make_leave/:room/:user'],
  ['PUT', 'v1/send_leave/:room/:event', {}],
  ['PUT', 'v2/send_leave/:room/:event', {}],
  ['GET', 'v1/make_knock/:room/:user?ver=12'],
  ['PUT', 'v1/send_knock/:room/:event', {}],
  ['PUT', 'v1/invite/:room/:event', {}],
  ['PUT', 'v2/invite/:room/:event', {}],
  ['PUT', 'v1/exchange_third_party_invite/:room', {}],
  ['GET', 'v1/event/:event'],
  ['GET', 'v1/state/:room?event_id=:event'],
  ['GET', 'v1/state_ids/:room?event_id=:event'],
  ['GET', 'v1/event_auth/:room/:event'],
  ['GET', 'v1/backfill/:room?v=:event&limit=5'],
  ['POST', 'v1/get_missing_events/:room', { earliest_events: [], latest_events: [] }],
  ['GET', 'v1/timestamp_to_event/:room?ts=0&dir=f'],
]

for (const driver of await findServerDrivers()) {
  describe(`a room's access control list on ${driver.name}`, { skip: driver.skip }, () => {
    const peers = createTestPeers()
    let [one, two]: TestServer[] = []
    let alice: TestLogin
    let roomId = ''
    let eventId = ''
    before(async () => {
      one = await peers.start(driver, 'one.test')
      two = await peers.start(driver, 'two.test')
      alice = await one.register('alice')
      const made = await one.request('POST', '/_matrix/client/v3/createRoom', {
        token: alice.token,
        body: { preset: 'public_chat', room_version: '12' },
      })
      roomId = made.json()['room_id'] as string
      await joinFromElsewhere(one, roomId, '@bob:two.test')
    })
    after(async () => {
      await one?.[Symbol.asyncDispose]()
      await two?.[Symbol.asyncDispose]()
    })

    const ask = async ([method, pattern, body]: (typeof PROTECTED)[number]): Promise<string> => {
      const invite = {
        type: 'm.room.member',
        sender: '@bob:two.test',
        state_key: '@alice:one.test',
        content: { membership: 'invite' },
      }
      const member = { ...invite, state_key: '@bob:two.test', content: { membership: memberOf(pattern) } }
      const event = pattern.includes('/invite/') ? invite : member
      const filled = pattern
        .replaceAll(':room', encodeURIComponent(roomId))
        .replaceAll(':event', encodeURIComponent(eventId))
        .replaceAll(':user', encodeURIComponent('@bob:two.test'))
      const [path = '', query = ''] = filled.split('?')
      const content = pattern.startsWith('v2/invite') ? { room_version: '12', event } : { ...event, ...body }
      const request: FederationRequest = {
        method,
        path: `/_matrix/federation/${path}`,
        query: [...new URLSearchParams(query)],
        ...(body === undefined ? {} : { body: content as JsonObject }),
      }
      try {
        await two!.hs.federation.client.request(one!.hs.serverName, request)
        return 'let in'
      } catch (error) {
        assert.ok(error instanceof FederationError && error.failure.kind === 'refused', String(error))
        return `${error.failure.status} ${String(error.failure.errcode)}`
      }
    }

    it('shuts a server out of every operation that it protects', async () => {
      const topic = { token: alice.token, body: { topic: 'x' } }
      const at = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/state`
      eventId = (await one!.request('PUT', `${at}/m.room.topic/`, topic)).json()['event_id'] as string
      assert.equal(await ask(['GET', 'v1/event/:event']), 'let in')
      const acl = { token: alice.token, body: { allow: ['*'], deny: ['*.test'] } }
      assert.equal((await one!.request('PUT', `${at}/m.room.server_acl/`, acl)).status, 200)
      for (const operation of PROTECTED) {
        assert.equal(await ask(operation), '403 M_FORBIDDEN', operation[1])
      }
    })
  })
}

function memberOf(pattern: string): string {
  return /join|knock|leave/.exec(pattern)?.[0] ?? 'invite'
}
