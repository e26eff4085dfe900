import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import type { JsonObject, Pdu } from '@causeway/matrix/events/pdu.ts'
import { signedText } from '@causeway/matrix/events/reference-hash.ts'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import { makeSigner } from '@causeway/testkit/matrix/ed25519.ts'
import { textOf } from '@causeway/testkit/text-of.ts'
import { command as listRefused } from '../../admin/commands/room-refused.ts'
import { clientRoutes } from '../../client/routes.ts'
import { defineEndpoint } from '../../http/endpoint.ts'
import { jsonObject } from '../../http/schemas.ts'
import { draftEvent } from '../../rooms/append-event.ts'
import { readRoom } from '../../rooms/join/read-room.ts'
import { signBuilt } from '../../rooms/join/signed-event.ts'
import { pduOfRow } from '../../rooms/stored-event.ts'
import { startFederatedServers, type FederatedServer } from '../../test-federation.ts'
import type { TestLogin } from '../../test-server.ts'
import { federationRoutes } from '../routes.ts'
import { createPolicyRetries } from './policy-retries.ts'

const rules = findRoomVersion('12')!
const keyFor = (name: string, fill: number): ReturnType<typeof makeSigner> =>
  makeSigner(name, 'ed25519:policy_server', Buffer.alloc(32, fill).toString('base64'))

type Verdict = (pdu: Pdu) => JsonObject | Promise<JsonObject>

/** The third server is the policy server: what it thinks of events is the test's to say. */
let verdict: Verdict
const shown: string[] = []
const sign = defineEndpoint({
  operation: 'askPolicyServerToSign',
  method: 'POST',
  path: '/_matrix/policy/v1/sign',
  auth: 'server',
  body: jsonObject,
  run: async (hs, { body }) => {
    // The first two have no business with it: nobody asks them.
    if (hs.serverName !== guard.name) throw new Error('asked the wrong server')
    shown.push(textOf((body as unknown as Pdu).content['body'] ?? (body as unknown as Pdu).type))
    return verdict(body as unknown as Pdu)
  },
})

const signWith =
  (fill: number): Verdict =>
  (pdu) => ({
    [guard.name]: { 'ed25519:policy_server': keyFor(guard.name, fill).sign(signedText(rules, pdu)) },
  })
const signAll = signWith(1)
const refuse: Verdict = async () => {
  const { forbidden } = await import('@causeway/matrix/errors/matrix-error.ts')
  throw forbidden('this looks like spam')
}

let world: Awaited<ReturnType<typeof startFederatedServers>>
let ours: FederatedServer
let other: FederatedServer
let guard: FederatedServer
let alice: TestLogin
let bob: TestLogin

const at = (roomId: string): string => `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`
let texts = 0
const say = async (
  server: FederatedServer,
  who: TestLogin,
  roomId: string,
  body: string,
): ReturnType<FederatedServer['request']> =>
  server.request('PUT', `${at(roomId)}/send/m.room.message/${++texts}`, {
    token: who.token,
    body: { msgtype: 'm.text', body },
  })
const setPolicy = (roomId: string, content: JsonObject): ReturnType<FederatedServer['request']> =>
  ours.request('PUT', `${at(roomId)}/state/m.room.policy/`, { token: alice.token, body: content })

async function bodiesOf(server: FederatedServer, who: TestLogin, roomId: string): Promise<unknown[]> {
  const page = (
    await server.request('GET', `${at(roomId)}/messages?dir=b&limit=50`, { token: who.token })
  ).json()
  return (page['chunk'] as JsonObject[])
    .map(({ content }) => (content as JsonObject)['body'])
    .filter((body) => body !== undefined)
    .toReversed()
}

/** Waits until somebody's sync tells of these words. */
async function see(server: FederatedServer, who: TestLogin, body: string): Promise<void> {
  let since = ''
  for (let i = 0; i < 60; i++) {
    const answer = await server.request('GET', `/_matrix/client/v3/sync?timeout=2000${since}`, {
      token: who.token,
    })
    if (Buffer.from(answer.bytes).includes(body)) return
    since = `&since=${encodeURIComponent(answer.json()['next_batch'] as string)}`
  }
  assert.fail(`${who.userId} does not see ${body}`)
}

/** A room of Alice's where Bob and the policy server's user are, with its policy in force. */
async function openRoom(): Promise<string> {
  const made = await ours.request('POST', '/_matrix/client/v3/createRoom', {
    token: alice.token,
    body: { preset: 'public_chat', room_version: '12' },
  })
  const roomId = made.json()['room_id'] as string
  for (const [server, who] of [
    [other, bob],
    [guard, await guard.register(`guard${++texts}`)],
  ] as const) {
    const path = `/_matrix/client/v3/join/${encodeURIComponent(roomId)}?via=${ours.name}`
    const joined = await server.request('POST', path, { token: who.token, body: {} })
    assert.equal(joined.status, 200, JSON.stringify(joined.json()))
  }
  const set = await setPolicy(roomId, {
    via: guard.name,
    public_keys: { ed25519: keyFor(guard.name, 1).publicKey },
  })
  assert.equal(set.status, 200)
  await say(ours, alice, roomId, `begin ${roomId}`)
  await see(other, bob, `begin ${roomId}`)
  shown.length = 0
  return roomId
}

/** A message of Bob's that his server has not shown to the policy server. */
async function unsigned(roomId: string, body: string): Promise<Pdu> {
  const built = await readRoom(other.hs.rooms, roomId as RoomId, (write) =>
    draftEvent(other.hs.rooms, write, {
      type: 'm.room.message',
      sender: bob.userId as UserId,
      content: { msgtype: 'm.text', body },
    }),
  )
  return signBuilt(built, other.hs.signer).event.pdu
}

async function deliver(...pdus: readonly Pdu[]): Promise<JsonObject> {
  return other.hs.federation.client.request(ours.name, {
    method: 'PUT',
    path: `/_matrix/federation/v1/send/test${++texts}`,
    body: { origin: other.name, origin_server_ts: 1, pdus: pdus as unknown as JsonObject[] },
  })
}

async function reasonsFor(roomId: string): Promise<string[]> {
  const rows = (await listRefused.run(ours.hs, { room: roomId }, {} as never)) as JsonObject[]
  return rows.map(({ verdict: outcome, reason }) => `${textOf(outcome)}: ${textOf(reason)}`)
}

before(async () => {
  verdict = signAll
  world = await startFederatedServers(3, { endpoints: [...clientRoutes, ...federationRoutes, sign] })
  ;[ours, other, guard] = world.servers as [FederatedServer, FederatedServer, FederatedServer]
  alice = await ours.register('alice')
  bob = await other.register('bob')
})
afterEach(async () => {
  verdict = signAll
  await guard.switchOn()
})
after(() => world[Symbol.asyncDispose]())

describe('a room with a policy server', () => {
  it('has what is said in it signed first, once, and others need not ask', async () => {
    const roomId = await openRoom()
    const sent = await say(ours, alice, roomId, 'a fine word')
    const eventId = sent.json()['event_id'] as EventId
    await see(other, bob, 'a fine word')
    assert.deepEqual(shown, ['a fine word'])
    for (const { hs } of [ours, other]) {
      const [row] = await findEventRows(hs.db, [eventId])
      const { signatures } = pduOfRow(row!)
      assert.deepEqual(Object.keys(signatures).toSorted(), [ours.name, guard.name].toSorted())
    }
    assert.deepEqual((await setTopic(roomId)).status, 200)
    assert.deepEqual(shown, ['a fine word', 'm.room.topic'])
  })

  it('does not get what its policy server refuses, and whoever said it is told why', async () => {
    const roomId = await openRoom()
    verdict = refuse
    const sent = await say(ours, alice, roomId, 'buy my pills')
    assert.equal(sent.status, 403)
    assert.match(textOf(sent.json()['error']), /policy server hs3.test refuses: this looks like spam/)
    verdict = () => ({})
    assert.equal((await say(ours, alice, roomId, 'buy them')).status, 403)
    verdict = signAll
    assert.equal((await say(ours, alice, roomId, 'sorry')).status, 200)
    assert.deepEqual((await bodiesOf(ours, alice, roomId)).slice(1), ['sorry'])
  })

  it('is closed while its policy server is down or lies, until the room has another one', async () => {
    const roomId = await openRoom()
    verdict = signWith(2)
    const lied = await say(ours, alice, roomId, 'signed by somebody')
    assert.equal(lied.status, 502)
    assert.match(textOf(lied.json()['error']), /not by the key that the room names/)
    await guard.switchOff()
    const dead = await say(ours, alice, roomId, 'nobody signs this')
    assert.equal(dead.status, 502)
    assert.match(textOf(dead.json()['error']), /cannot be asked at the moment/)
    assert.equal((await setPolicy(roomId, {})).status, 200)
    assert.equal((await say(ours, alice, roomId, 'free again')).status, 200)
    assert.deepEqual((await bodiesOf(ours, alice, roomId)).slice(1), ['free again'])
  })

  it('holds up nobody else while its policy server thinks, nor itself, and what it signed still has its place', async () => {
    const roomId = await openRoom()
    const elsewhere = (
      await ours.request('POST', '/_matrix/client/v3/createRoom', { token: alice.token, body: {} })
    ).json()['room_id'] as string
    const asked = Promise.withResolvers<void>()
    const think = Promise.withResolvers<void>()
    verdict = async (pdu) => {
      if (pdu.content['body'] === 'slow') {
        asked.resolve()
        await think.promise
      }
      return signAll(pdu)
    }
    const slow = say(ours, alice, roomId, 'slow')
    await asked.promise
    assert.equal((await say(ours, alice, elsewhere, 'meanwhile')).status, 200)
    assert.equal((await say(ours, alice, roomId, 'quick')).status, 200)
    await deliver(await unsigned(roomId, 'from afar'))
    think.resolve()
    assert.equal((await slow).status, 200)
    await say(ours, alice, roomId, 'after all')
    const bodies = (await bodiesOf(ours, alice, roomId)).slice(1)
    assert.deepEqual(bodies.map(textOf).toSorted(), ['after all', 'from afar', 'quick', 'slow'])
    await see(other, bob, 'after all')
    assert.deepEqual((await bodiesOf(other, bob, roomId)).length, 5)
  })

  it('who was banned while the policy server thought has said nothing', async () => {
    const roomId = await openRoom()
    const carol = await ours.register(`carol${++texts}`)
    await ours.request('POST', `/_matrix/client/v3/join/${encodeURIComponent(roomId)}`, {
      token: carol.token,
      body: {},
    })
    const asked = Promise.withResolvers<void>()
    const think = Promise.withResolvers<void>()
    verdict = async (pdu) => {
      if (pdu.content['body'] === 'too late') {
        asked.resolve()
        await think.promise
      }
      return signAll(pdu)
    }
    const late = say(ours, carol, roomId, 'too late')
    await asked.promise
    const ban = { token: alice.token, body: { user_id: carol.userId } }
    assert.equal((await ours.request('POST', `${at(roomId)}/ban`, ban)).status, 200)
    think.resolve()
    assert.equal((await late).status, 403)
  })

  it('asks about what others send without its signature, and keeps the signature with the event', async () => {
    const roomId = await openRoom()
    const pdu = await unsigned(roomId, 'unsigned and fine')
    const answer = await deliver(pdu)
    assert.deepEqual(Object.values(answer['pdus'] as JsonObject), [{}])
    assert.deepEqual(shown, ['unsigned and fine'])
    assert.deepEqual((await bodiesOf(ours, alice, roomId)).slice(1), ['unsigned and fine'])
    const [eventId] = Object.keys(answer['pdus'] as JsonObject)
    const [row] = await findEventRows(ours.hs.db, [eventId!])
    assert.ok(pduOfRow(row!).signatures[guard.name]?.['ed25519:policy_server'] !== undefined)
    await deliver(pdu)
    assert.deepEqual(shown, ['unsigned and fine'], 'an event that is held is not asked about again')
  })

  it('soft-fails what it refuses, or what nobody can be asked about, and lists it with the reason', async () => {
    const roomId = await openRoom()
    verdict = refuse
    await deliver(await unsigned(roomId, 'spam from afar'))
    verdict = signWith(2)
    await deliver(await unsigned(roomId, 'signed by somebody'))
    await guard.switchOff()
    const dead = await unsigned(roomId, 'nobody signs this')
    const forged = {
      ...dead,
      signatures: { ...dead.signatures, [guard.name]: { 'ed25519:policy_server': 'AAAA' } },
    }
    await deliver(forged)
    assert.deepEqual((await bodiesOf(ours, alice, roomId)).slice(1), [])
    const reasons = await reasonsFor(roomId)
    assert.equal(reasons.length, 3)
    assert.match(reasons[2]!, /^soft-failed: The room's policy server hs3.test did not sign.*spam/)
    assert.match(reasons[1]!, /not by the key that the room names/)
    assert.match(reasons[0]!, /it cannot be asked/)
    assert.equal(ours.hs.receiving.figures.refused.policy_server, 3)
  })

  it('shows what came while the policy server was down once that has looked at it, and not what it refuses', async () => {
    const roomId = await openRoom()
    await guard.switchOff()
    const fine = await unsigned(roomId, 'said in the dark')
    const spam = await unsigned(roomId, 'spam in the dark')
    await deliver(fine)
    await deliver(spam)
    assert.deepEqual((await bodiesOf(ours, alice, roomId)).slice(1), [])
    assert.equal((await reasonsFor(roomId)).length, 2)
    verdict = (pdu) => (pdu.content['body'] === 'spam in the dark' ? refuse(pdu) : signAll(pdu))
    await guard.switchOn()
    // Whoever was down gives a sign of life.
    await guard.hs.federation.client.request(ours.name, {
      method: 'PUT',
      path: `/_matrix/federation/v1/send/life${++texts}`,
      body: { origin: guard.name, origin_server_ts: 1, pdus: [] },
    })
    await see(ours, alice, 'said in the dark')
    await ours.hs.receiving.policyRetries.idle()
    assert.deepEqual(shown.toSorted(), ['said in the dark', 'spam in the dark'])
    assert.deepEqual((await bodiesOf(ours, alice, roomId)).slice(1), ['said in the dark'])
    const reasons = await reasonsFor(roomId)
    assert.equal(reasons.length, 1)
    assert.match(reasons[0]!, /^soft-failed: .*did not sign.*it refuses: this looks like spam/)
    const left = await ours.hs.db.query('SELECT event_id FROM policy_waits', [])
    assert.deepEqual(left, [], 'nothing is asked about any more')
    const [id] = (await ours.hs.db.query<{ event_id: string }>(
      "SELECT event_id FROM events WHERE UTF8(json) LIKE '%said in the dark%'",
      [],
    )) as { event_id: string }[]
    const [row] = await findEventRows(ours.hs.db, [id!.event_id as EventId])
    assert.ok(pduOfRow(row!).signatures[guard.name] !== undefined, 'with its signature')
  })

  it('asks again after a restart about what came while the policy server was down', async () => {
    const roomId = await openRoom()
    await guard.switchOff()
    await deliver(await unsigned(roomId, 'said before the restart'))
    await guard.switchOn()
    ours.hs.federation.client.heardFrom(guard.name)
    // What begins anew knows nothing but what is stored.
    const { inbox } = ours.hs.receiving
    await using again = createPolicyRetries(ours.hs.receiving, (room, pdus) => inbox.placed(room, pdus))
    await again.start()
    await again.idle()
    assert.deepEqual((await bodiesOf(ours, alice, roomId)).slice(1), ['said before the restart'])
    // The room goes on from where it was.
    assert.equal((await say(ours, alice, roomId, 'and after it')).status, 200)
    await see(other, bob, 'and after it')
  })

  it('is an ordinary room while the policy is not valid, or its server has nobody there', async () => {
    const roomId = await openRoom()
    await guard.switchOff()
    const key = keyFor(guard.name, 1).publicKey
    for (const content of [
      { via: guard.name },
      { via: 'not a name', public_keys: { ed25519: key } },
      { via: guard.name, public_keys: { ed25519: 'AAAA' } },
      { via: guard.name, public_keys: { rsa: key } },
      { via: 'nobody.test', public_keys: { ed25519: key } },
      { via: ours.name, public_keys: { ed25519: key } },
    ] as JsonObject[]) {
      assert.equal((await setPolicy(roomId, content)).status, 200, JSON.stringify(content))
      assert.equal((await say(ours, alice, roomId, 'free')).status, 200, JSON.stringify(content))
    }
    assert.deepEqual(shown, [])
  })
})

function setTopic(roomId: string): ReturnType<FederatedServer['request']> {
  return ours.request('PUT', `${at(roomId)}/state/m.room.topic/`, {
    token: alice.token,
    body: { topic: 'x' },
  })
}
