import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { contentHash } from '@causeway/matrix/events/content-hash.ts'
import { eventIdOf } from '@causeway/matrix/events/event-id-of.ts'
import type { JsonObject, Pdu } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import { signEvent } from '@causeway/matrix/signing/sign-json.ts'
import { makeSigner } from '@causeway/testkit/matrix/ed25519.ts'
import { sha256 } from '../../crypto/sha256.ts'
import { draftEvent } from '../../rooms/append-event.ts'
import { readRoom } from '../../rooms/join/read-room.ts'
import { signBuilt } from '../../rooms/join/signed-event.ts'
import { findServerDrivers, type ServerDriver, type TestLogin, type TestServer } from '../../test-server.ts'
import { FederationError } from '../federation-client.ts'
import { createTestPeers } from '../test-peers.ts'

const segment = encodeURIComponent
const IDENTITY = makeSigner('id.example', 'ed25519:0', Buffer.alloc(32, 3).toString('base64'))
const OTHER = makeSigner('id.example', 'ed25519:0', Buffer.alloc(32, 4).toString('base64'))

interface Side {
  readonly server: TestServer
  readonly login: TestLogin
}

interface Scene extends AsyncDisposable {
  readonly one: Side
  readonly two: Side
  readonly keys: { readonly asked: string[]; answer: KeyAnswer }
  ask(side: Side, method: string, path: string, body?: JsonObject): Promise<JsonObject>
  makeRoom(side: Side, more?: JsonObject): Promise<RoomId>
  /** One server's request to the other. */
  request(from: Side, to: Side, method: 'GET' | 'PUT', path: string, body?: JsonObject): Promise<JsonObject>
  membership(side: Side, roomId: RoomId, userId: string): Promise<JsonObject>
  invites(side: Side): Promise<string[]>
}

/** What the identity server says of its keys. */
type KeyAnswer = JsonObject | 'nothing'

async function open(driver: ServerDriver): Promise<Scene> {
  const keys: Scene['keys'] = { asked: [], answer: { valid: true } }
  const peers = createTestPeers(async (url) => {
    keys.asked.push(url.href)
    if (keys.answer === 'nothing') throw new Error('nobody answers')
    return { status: 200, headers: {}, body: Readable.from([Buffer.from(JSON.stringify(keys.answer))]) }
  })
  const start = async (name: string, user: string): Promise<Side> => {
    const server = await peers.start(driver, name)
    return { server, login: await server.register(user) }
  }
  const [one, two] = [await start('one.example', 'alice'), await start('two.example', 'bob')]
  const ask: Scene['ask'] = async ({ server, login }, method, path, body) => {
    const url = `/_matrix/client/v3${path}`
    const answer = await server.request(method, url, { token: login.token, ...(body && { body }) })
    assert.equal(answer.status, 200, `${method} ${path}: ${Buffer.from(answer.bytes).toString()}`)
    return answer.json()
  }
  return {
    one,
    two,
    keys,
    ask,
    makeRoom: async (side, more = {}) =>
      (await ask(side, 'POST', '/createRoom', { preset: 'public_chat', ...more }))['room_id'] as RoomId,
    request: (from, to, method, path, body) =>
      from.server.hs.federation.client.request(to.server.hs.serverName, {
        method,
        path: `/_matrix/federation${path}`,
        ...(body && { body }),
      }),
    membership: (side, roomId, userId) =>
      ask(side, 'GET', `/rooms/${segment(roomId)}/state/m.room.member/${segment(userId)}`),
    async invites(side) {
      const { rooms } = await ask(side, 'GET', '/sync?timeout=0')
      return Object.keys(((rooms as JsonObject | undefined)?.['invite'] ?? {}) as JsonObject)
    },
    async [Symbol.asyncDispose]() {
      await one.server[Symbol.asyncDispose]()
      await two.server[Symbol.asyncDispose]()
    },
  }
}

/** A membership event made of another server's template, by who asked for it, with its id. */
async function complete(scene: Scene, membership: string, roomId: RoomId): Promise<[string, JsonObject]> {
  const { one, two } = scene
  const path = `/v1/make_${membership}/${segment(roomId)}/${segment(two.login.userId)}?ver=11&ver=1`
  const { event, room_version: version } = await scene.request(two, one, 'GET', path)
  const rules = findRoomVersion(version as string)!
  const { clock, signer } = two.server.hs
  const draft = { ...(event as JsonObject), origin_server_ts: clock.now() } as unknown as Pdu
  const hashed = { ...draft, hashes: { sha256: contentHash(rules, draft, sha256) }, signatures: {} }
  const pdu = signEvent(rules, hashed, signer)
  return [eventIdOf(rules, pdu, sha256)!, pdu as unknown as JsonObject]
}

/** A room into which an address was invited, by a state event that names the identity server's key. */
async function inviteAddress(scene: Scene, by: Side, token: string): Promise<RoomId> {
  const roomId = await scene.makeRoom(by, { preset: 'private_chat' })
  const path = `/rooms/${segment(roomId)}/state/m.room.third_party_invite/${token}`
  const { publicKey } = IDENTITY
  const keyUrl = 'https://id.example/_matrix/identity/v2/pubkey/isvalid'
  await scene.ask(by, 'PUT', path, {
    display_name: 'c...@example.org',
    public_key: publicKey,
    key_validity_url: keyUrl,
    public_keys: [{ public_key: publicKey, key_validity_url: keyUrl }],
  })
  return roomId
}

function sign(mxid: string, token: string, signer = IDENTITY): JsonObject {
  const signature = signer.sign(canonicalJson({ mxid, token }, true))
  return { mxid, token, signatures: { [signer.serverName]: { [signer.keyId]: signature } } }
}

/** What an identity server says to the server of whoever an address turned out to belong to. */
function bind(to: Side, invites: JsonObject[]): ReturnType<TestServer['request']> {
  const body = { mxid: to.login.userId, medium: 'email', address: 'c@example.org', invites }
  return to.server.request('PUT', '/_matrix/federation/v1/3pid/onbind', { body })
}

for (const driver of await findServerDrivers()) {
  describe(`${driver.name}: operations between servers about memberships`, { skip: driver.skip }, () => {
    it('an invitation by address becomes one of the user whose it is, both ways', async () => {
      await using scene = await open(driver)
      for (const [inviting, invited] of [
        [scene.one, scene.two],
        [scene.two, scene.one],
      ] as const) {
        const token = `token-${inviting.login.userId.slice(1, 4)}`
        const roomId = await inviteAddress(scene, inviting, token)
        const { userId } = invited.login
        const invite = { room_id: roomId, sender: inviting.login.userId, medium: 'email' }
        const forged = { ...invite, signed: sign(userId, token, OTHER) }
        assert.equal((await bind(invited, [forged])).status, 200)
        assert.deepEqual(await scene.invites(invited), [], 'of a key that the room does not know')
        const answer = await bind(invited, [{ ...invite, signed: sign(userId, token) }])
        assert.deepEqual([answer.status, answer.json()], [200, {}])
        assert.deepEqual(await scene.invites(invited), [roomId])
        const { membership, third_party_invite: by } = await scene.membership(inviting, roomId, userId)
        assert.equal(membership, 'invite')
        assert.deepEqual(by, { display_name: 'c...@example.org', signed: sign(userId, token) })
        const via = inviting.server.hs.serverName
        await scene.ask(invited, 'POST', `/join/${segment(roomId)}?via=${via}`, {})
        assert.equal((await scene.membership(inviting, roomId, userId))['membership'], 'join')
      }
    })

    it('an invitation by address is taken up by a join that brings the signature, here and from another server', async () => {
      await using scene = await open(driver)
      const { one, two } = scene
      const carol = { server: one.server, login: await one.server.register('carol') }
      for (const joining of [carol, two]) {
        const { userId, token: accessToken } = joining.login
        const roomId = await inviteAddress(scene, one, 'token')
        const path = `/_matrix/client/v3/join/${segment(roomId)}?via=one.example`
        const join = async (signed: JsonObject, sender = one.login.userId): Promise<number> => {
          const body = { third_party_signed: { ...signed, sender } }
          return (await joining.server.request('POST', path, { token: accessToken, body })).status
        }
        // What is signed holds the sender, as identity servers do it.
        const by = (mxid: string, signer = IDENTITY): JsonObject => {
          const object = { mxid, token: 'token', sender: one.login.userId }
          const signature = signer.sign(canonicalJson(object, true))
          return { ...object, signatures: { [signer.serverName]: { [signer.keyId]: signature } } }
        }
        assert.ok((await join(by(userId, OTHER))) >= 400, 'of a key that the room does not know')
        assert.ok((await join(by('@dan:one.example'))) >= 400, 'for somebody else')
        assert.ok((await join(by(userId), userId)) >= 400, 'by somebody else')
        assert.equal(await join({ mxid: userId, token: 'token' }), 400)
        assert.equal(await join(by(userId)), 200)
        const { membership } = await scene.membership(one, roomId, userId)
        assert.equal(membership, 'join')
        assert.equal(await join(by(userId)), 200, 'who is there already needs no signature')
      }
      const open_ = await scene.makeRoom(one)
      const body = { third_party_signed: { ...sign(carol.login.userId, 'none'), sender: one.login.userId } }
      const into = `/_matrix/client/v3/join/${segment(open_)}`
      const answer = await one.server.request('POST', into, { token: carol.login.token, body })
      assert.equal(answer.status, 403, 'a room that is open to everybody has no such invitation either')
    })

    it('an invitation by address that the room does not have, or of somebody else, is refused', async () => {
      await using scene = await open(driver)
      const { one, two } = scene
      const roomId = await inviteAddress(scene, one, 'token')
      const exchange = async (signed: JsonObject, sender = one.login.userId): Promise<string> => {
        const body: JsonObject = {
          type: 'm.room.member',
          room_id: roomId,
          sender,
          state_key: two.login.userId,
          content: { membership: 'invite', third_party_invite: { display_name: 'c', signed } },
        }
        const path = `/v1/exchange_third_party_invite/${segment(roomId)}`
        const refusal = await scene.request(two, one, 'PUT', path, body).then(
          () => 'done',
          (error: unknown) => error,
        )
        if (!(refusal instanceof FederationError)) return String(refusal)
        return 'status' in refusal.failure ? String(refusal.failure.status) : refusal.message
      }
      assert.equal(await exchange(sign(two.login.userId, 'withdrawn')), '403')
      assert.equal(await exchange(sign('@carol:two.example', 'token')), '403')
      assert.equal(await exchange(sign(two.login.userId, 'token', OTHER)), '403')
      assert.equal(await exchange(sign(two.login.userId, 'token'), two.login.userId), '403')
      assert.deepEqual(await scene.invites(two), [])
      assert.equal(await exchange(sign(two.login.userId, 'token')), 'done')
      assert.deepEqual(await scene.invites(two), [roomId])
    })

    it('an invitation by address is of a user of the same server, and of a key that is still good', async () => {
      await using scene = await open(driver)
      const { one, keys } = scene
      const roomId = await inviteAddress(scene, one, 'token')
      const carol: Side = { server: one.server, login: await one.server.register('carol') }
      const invite = {
        room_id: roomId,
        sender: one.login.userId,
        signed: sign(carol.login.userId, 'token'),
      }
      keys.answer = { valid: false }
      assert.equal((await bind(carol, [invite])).status, 200, 'another attempt would do no more')
      assert.deepEqual(await scene.invites(carol), [])
      keys.answer = 'nothing'
      assert.equal((await bind(carol, [invite])).status, 502, 'the identity server tries it again')
      assert.deepEqual(await scene.invites(carol), [])
      keys.answer = { valid: true }
      assert.equal((await bind(carol, [invite])).status, 200)
      assert.deepEqual(await scene.invites(carol), [roomId])
      const url = new URL(keys.asked.at(-1)!)
      assert.equal(url.origin + url.pathname, 'https://id.example/_matrix/identity/v2/pubkey/isvalid')
      assert.equal(url.searchParams.get('public_key'), IDENTITY.publicKey)
      const nobody = { ...invite, signed: sign('@nobody:one.example', 'token') }
      const body: JsonObject = { mxid: '@nobody:one.example', invites: [nobody] }
      const path = '/_matrix/federation/v1/3pid/onbind'
      assert.equal((await one.server.request('POST', path, { body })).status, 200)
      const members = await scene.ask(one, 'GET', `/rooms/${segment(roomId)}/members`)
      assert.equal((members['chunk'] as unknown[]).length, 2, 'who is not there is not invited')
      assert.equal(
        (await one.server.request('POST', path, { body: { mxid: carol.login.userId } })).status,
        200,
      )
    })

    it('version 1 of send_join and send_leave answers in pairs', async () => {
      await using scene = await open(driver)
      const { one, two } = scene
      const roomId = await scene.makeRoom(one, { room_version: '11' })
      const [joinId, join] = await complete(scene, 'join', roomId)
      const joinPath = `/v1/send_join/${segment(roomId)}/${segment(joinId)}?omit_members=true`
      const answer = await scene.request(two, one, 'PUT', joinPath, join)
      const [status, room] = answer as unknown as [number, JsonObject]
      assert.equal(status, 200)
      const types = (room['state'] as JsonObject[]).map(({ type }) => type)
      for (const type of ['m.room.create', 'm.room.member', 'm.room.power_levels'])
        assert.ok(types.includes(type), type)
      assert.ok(Array.isArray(room['auth_chain']))
      assert.equal(room['members_omitted'], undefined, 'version 1 knows nothing of fast joins')
      assert.equal((await scene.membership(one, roomId, two.login.userId))['membership'], 'join')
      const [leaveId, leave] = await complete(scene, 'leave', roomId)
      const leavePath = `/v1/send_leave/${segment(roomId)}/${segment(leaveId)}`
      assert.deepEqual(await scene.request(two, one, 'PUT', leavePath, leave), [200, {}])
      assert.equal((await scene.membership(one, roomId, two.login.userId))['membership'], 'leave')
    })

    it('version 1 of invite is of a room of version 1, and is countersigned', async () => {
      await using scene = await open(driver)
      const { one, two } = scene
      const roomId = await scene.makeRoom(one, { room_version: '1', preset: 'private_chat' })
      const { rooms, signer } = one.server.hs
      const built = await readRoom(rooms, roomId, (write) =>
        draftEvent(rooms, write, {
          type: 'm.room.member',
          sender: one.login.userId as UserId,
          stateKey: two.login.userId,
          content: { membership: 'invite' },
        }),
      )
      const pdu = signBuilt(built, signer).event.pdu as unknown as JsonObject
      const stripped = {
        type: 'm.room.name',
        state_key: '',
        sender: one.login.userId,
        content: { name: 'Old' },
      }
      const path = `/v1/invite/${segment(roomId)}/${segment(built.eventId)}`
      const body = { ...pdu, unsigned: { invite_room_state: [stripped] } }
      const answer = await scene.request(one, two, 'PUT', path, body)
      const [status, { event }] = answer as unknown as [number, { event: Pdu }]
      assert.equal(status, 200)
      assert.deepEqual(Object.keys(event.signatures).toSorted(), ['one.example', 'two.example'])
      assert.deepEqual(await scene.invites(two), [roomId])
    })
  })
}
