import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { listIdentityBindings } from '@causeway/store/tables/identity-bindings.ts'
import { makeAuthority } from '@causeway/testkit/certificates.ts'
import { startSydent, type Sydent } from '@causeway/testkit/sydent.ts'
import { clientRoutes } from '../client/routes.ts'
import { startMailServer } from '../email/test-mail-server.ts'
import { federationRoutes } from '../federation/routes.ts'
import { createAddressGuard } from '../outgoing/address-guard.ts'
import { createOutgoing, type Outgoing } from '../outgoing/outgoing.ts'
import { createSystemResolver } from '../outgoing/system-resolver.ts'
import { readBody } from '../outgoing/read-body.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { ok } from '../test-call.ts'
import { startReachableServer, type FederatedServer } from '../test-federation.ts'
import { TEST_PASSWORD, type TestLogin } from '../test-server.ts'

// Two whole servers beside a real Sydent, over TLS on loopback: all that a client does with an identity server.

const authority = makeAuthority()
const mail = await startMailServer()
const found = await startSydent({ authority, smtpPort: mail.port })
const skip = 'skip' in found ? found.skip : false
if (skip !== false) console.log(`Sydent: skipped: ${skip}`)
const segment = encodeURIComponent

/** Somebody with a login at a homeserver, and one at the identity server. */
interface Person {
  readonly server: FederatedServer
  readonly login: TestLogin
  readonly idToken: string
}

describe('beside a real Sydent', { skip }, () => {
  const sydent = found as Sydent
  const id = { id_server: sydent.name }
  let outgoing: Outgoing
  let one: FederatedServer
  let two: FederatedServer
  let alice: Person

  before(async () => {
    outgoing = createOutgoing({
      clock: systemClock,
      resolver: createSystemResolver(systemClock),
      guard: createAddressGuard(['127.0.0.0/8', '::1']),
      authorities: [authority.certificate],
    })
    const options = {
      endpoints: [...clientRoutes, ...federationRoutes],
      config: { identity_servers: { allowed: [sydent.name] } },
    }
    one = await startReachableServer(authority, options)
    two = await startReachableServer(authority, options)
    alice = await meet(one, 'alice')
  })
  after(async () => {
    await one[Symbol.asyncDispose]()
    await two[Symbol.asyncDispose]()
    outgoing[Symbol.dispose]()
    await sydent[Symbol.asyncDispose]()
    await mail[Symbol.asyncDispose]()
  })

  /** What a client asks Sydent itself. */
  async function askSydent(path: string, body?: JsonObject, token?: string): Promise<JsonObject> {
    const answer = await outgoing.send({
      host: 'localhost',
      port: Number(sydent.name.split(':')[1]),
      tlsName: 'localhost',
      method: body === undefined ? 'GET' : 'POST',
      path,
      headers: {
        host: sydent.name,
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      timeoutMs: 60_000,
    })
    const text = Buffer.from(await readBody(answer.body, 100_000)).toString()
    assert.equal(answer.status, 200, `${path}: ${text}\n${sydent.log().slice(-2000)}`)
    return text.startsWith('{') ? (JSON.parse(text) as JsonObject) : {}
  }

  /** An account, and with it a login at Sydent, which asks the homeserver who it is. */
  async function meet(server: FederatedServer, name: string): Promise<Person> {
    const login = await server.register(name)
    const path = `/user/${segment(login.userId)}/openid/request_token`
    const openId = await ok(server, login, 'POST', path, {})
    const { token } = await askSydent('/_matrix/identity/v2/account/register', openId)
    return { server, login, idToken: token as string }
  }

  /** Sydent sends a mail, whose link is opened: a session that can be bound. */
  async function confirm({ idToken }: Person, email: string): Promise<JsonObject> {
    const secret = { client_secret: `secret-of-${email.split('@')[0]!}` }
    const body = { ...secret, email, send_attempt: 1 }
    const count = mail.mails.length + 1
    const path = '/_matrix/identity/v2/validate/email/requestToken'
    const { sid } = await askSydent(path, body, idToken)
    const link = /https:\/\/[^/]+(\/\S+)/.exec((await mail.arrived(count)).text)![1]!
    await askSydent(link)
    return { ...id, ...secret, sid: sid as string, id_access_token: idToken }
  }

  async function bind(person: Person, email: string): Promise<void> {
    await ok(person.server, person.login, 'POST', '/account/3pid/bind', await confirm(person, email))
  }

  const inviteOf = (address: string): JsonObject => ({
    ...id,
    id_access_token: alice.idToken,
    medium: 'email',
    address,
  })

  async function makeRoom(more: JsonObject = {}): Promise<string> {
    return (await ok(one, alice.login, 'POST', '/createRoom', { name: 'The club', ...more }))[
      'room_id'
    ] as string
  }

  const membership = async (roomId: string, userId: string): Promise<JsonObject | undefined> => {
    const path = `/_matrix/client/v3/rooms/${segment(roomId)}/state/m.room.member/${segment(userId)}`
    const answer = await one.request('GET', path, { token: alice.login.token })
    return answer.status === 404 ? undefined : answer.json()
  }

  async function pendingOf(roomId: string): Promise<JsonObject[]> {
    const state = (await ok(
      one,
      alice.login,
      'GET',
      `/rooms/${segment(roomId)}/state`,
    )) as unknown as JsonObject[]
    return state.filter(({ type }) => type === 'm.room.third_party_invite')
  }

  /** Asks again whenever something has come, until there is what is looked for. */
  async function wait<T>(
    { server, login }: Person,
    look: (sync: JsonObject) => T | undefined | Promise<T | undefined>,
  ): Promise<T> {
    let since = ''
    for (;;) {
      const answer = await ok(server, login, 'GET', `/sync?timeout=30000${since}`)
      const seen = await look(answer)
      if (seen !== undefined) return seen
      since = `&since=${answer['next_batch'] as string}`
    }
  }

  /** What somebody is shown of their invitation: their membership. Once the room has it, too. */
  async function invited(person: Person, roomId: string): Promise<JsonObject> {
    const { userId } = person.login
    const content = await wait(person, ({ rooms }) => {
      const invite = ((rooms as JsonObject | undefined)?.['invite'] as JsonObject | undefined)?.[roomId]
      const { events } = ((invite as JsonObject | undefined)?.['invite_state'] ?? { events: [] }) as {
        events: JsonObject[]
      }
      return events.find((one) => one['state_key'] === userId)?.['content'] as JsonObject | undefined
    })
    await wait(alice, () => membership(roomId, userId))
    return content
  }

  async function findAtSydent(email: string): Promise<unknown> {
    const body = { algorithm: 'none', addresses: [`${email} email`], pepper: '' }
    const details = await askSydent('/_matrix/identity/v2/hash_details', undefined, alice.idToken)
    const asked = { ...body, pepper: details['lookup_pepper']! }
    const { mappings } = await askSydent('/_matrix/identity/v2/lookup', asked, alice.idToken)
    return (mappings as JsonObject)[`${email} email`]
  }

  it('an address that is published is invited as the user whose it is, whose account unbinds it when it ends', async () => {
    const dora = await meet(two, 'dora')
    await bind(dora, 'dora@example.org')
    assert.equal(await findAtSydent('dora@example.org'), dora.login.userId)
    const roomId = await makeRoom()
    await ok(one, alice.login, 'POST', `/rooms/${segment(roomId)}/invite`, inviteOf('Dora@Example.org'))
    assert.equal((await membership(roomId, dora.login.userId))?.['membership'], 'invite')
    await invited(dora, roomId)
    assert.deepEqual(await pendingOf(roomId), [])
    const made = await makeRoom({ invite_3pid: [inviteOf('dora@example.org')], is_direct: true })
    assert.deepEqual((await membership(made, dora.login.userId))?.['is_direct'], true)

    const { userId } = dora.login
    const password = {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: userId },
      password: TEST_PASSWORD,
    }
    const first = await two.request('POST', '/_matrix/client/v3/account/deactivate', {
      token: dora.login.token,
      body: {},
    })
    const auth = { ...password, session: first.json()['session'] as string }
    const ended = await ok(two, dora.login, 'POST', '/account/deactivate', { auth })
    assert.deepEqual(ended, { id_server_unbind_result: 'success' })
    assert.equal(await findAtSydent('dora@example.org'), undefined)
    assert.deepEqual(await listIdentityBindings(two.hs.db, userId), [])
  })

  for (const where of ['another server', 'the same server'] as const) {
    it(`an address that nobody publishes gets a mail, and whoever shows later on ${where} that it is theirs is in`, async () => {
      const [server, name] = where === 'the same server' ? [one, 'bert'] : [two, 'carol']
      const email = `${name}@example.org`
      const count = mail.mails.length + 1
      const roomId = await makeRoom(where === 'the same server' ? { invite_3pid: [inviteOf(email)] } : {})
      if (where !== 'the same server')
        await ok(one, alice.login, 'POST', `/rooms/${segment(roomId)}/invite`, inviteOf(email))
      const sent = await mail.arrived(count)
      assert.deepEqual(sent.to, [email])
      assert.equal(sent.text.trim(), `room: The club\nsender: ${alice.login.userId}`)
      const [pending, ...others] = await pendingOf(roomId)
      assert.deepEqual(others, [])
      const { public_keys: keys, ...content } = pending!['content'] as JsonObject
      assert.equal((keys as unknown[]).length, 2)
      assert.deepEqual({ ...content, ...(keys as JsonObject[])[0] }, content)
      assert.equal(content['display_name'], `${name.slice(0, 3)}...@exa...`)

      const person = await meet(server, name)
      await bind(person, email)
      const invite = await invited(person, roomId)
      assert.equal((invite['third_party_invite'] as JsonObject)['display_name'], content['display_name'])
      await ok(server, person.login, 'POST', `/join/${segment(roomId)}?server_name=${one.name}`, {})
      assert.equal((await membership(roomId, person.login.userId))?.['membership'], 'join')

      const of = { medium: 'email', address: email }
      const unbound = await ok(server, person.login, 'POST', '/account/3pid/unbind', of)
      assert.deepEqual(unbound, { id_server_unbind_result: 'success' })
      assert.equal(await findAtSydent(email), undefined)
      const again = await ok(server, person.login, 'POST', '/account/3pid/unbind', of)
      assert.deepEqual(
        again,
        { id_server_unbind_result: 'no-support' },
        'nothing is known to be bound any more',
      )
    })
  }

  it('deleting an address unbinds it where it was bound, and what is not confirmed cannot be bound', async () => {
    const erin = await meet(one, 'erin')
    await bind(erin, 'erin@example.org')
    const of = { medium: 'email', address: 'erin@example.org' }
    const deleted = await ok(one, erin.login, 'POST', '/account/3pid/delete', of)
    assert.deepEqual(deleted, { id_server_unbind_result: 'success' })
    assert.equal(await findAtSydent('erin@example.org'), undefined)
    const body = { ...id, client_secret: 'made-up', sid: '4711', id_access_token: erin.idToken }
    const path = '/_matrix/client/v3/account/3pid/bind'
    const answer = await one.request('POST', path, { token: erin.login.token, body })
    assert.deepEqual([answer.status, answer.json()['errcode']], [404, 'M_NO_VALID_SESSION'])
    const wrong = await one.request('POST', path, {
      token: erin.login.token,
      body: { ...body, id_access_token: 'stale' },
    })
    assert.deepEqual([wrong.status, wrong.json()['errcode']], [403, 'M_FORBIDDEN'])
  })
})
