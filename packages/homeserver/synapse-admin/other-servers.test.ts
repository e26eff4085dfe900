import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { setStanding } from '../accounts/administer.ts'
import { federationRoutes } from '../federation/routes.ts'
import { ok } from '../test-call.ts'
import { startFederatedServers, type FederatedServer } from '../test-federation.ts'
import type { TestLogin } from '../test-server.ts'
import { adminEndpoints } from './test-admin.ts'

const segment = encodeURIComponent

let world: Awaited<ReturnType<typeof startFederatedServers>>
let one: FederatedServer
let two: FederatedServer
let alice: TestLogin
let bob: TestLogin
before(async () => {
  world = await startFederatedServers(2, { endpoints: [...adminEndpoints, ...federationRoutes] })
  ;[one, two] = world.servers as [FederatedServer, FederatedServer]
  alice = await one.register('alice')
  bob = await two.register('bob')
  await setStanding(two.hs, bob.userId as UserId, 'admin', true)
})
after(() => world[Symbol.asyncDispose]())

const admin = async (method: string, path: string, body?: JsonObject): Promise<JsonObject> => {
  const url = `/_synapse/admin${path}`
  const answer = await two.request(method, url, { token: bob.token, ...(body && { body }) })
  assert.equal(answer.status, 200, `${method} ${path}: ${Buffer.from(answer.bytes).toString()}`)
  return answer.json()
}
const attempt = async (who: FederatedServer, login: TestLogin, path: string, body: JsonObject = {}) =>
  (await who.request('POST', `/_matrix/client/v3${path}`, { token: login.token, body })).status

it('a room of another server that is blocked: nobody goes there, and its invitations are refused', async () => {
  const { room_id: roomId } = await ok(one, alice, 'POST', '/createRoom', { preset: 'public_chat' })
  const room = segment(roomId as string)
  const invite = () => attempt(one, alice, `/rooms/${room}/invite`, { user_id: bob.userId })
  await admin('PUT', `/v1/rooms/${room}/block`, { block: true })
  assert.equal(await attempt(two, bob, `/join/${room}?via=${one.name}`), 403)
  assert.equal(await invite(), 403)
  await admin('PUT', `/v1/rooms/${room}/block`, { block: false })
  assert.equal(await invite(), 200)
  assert.equal(await attempt(two, bob, `/join/${room}?via=${one.name}`), 200)
})

it('a room of another server that is deleted here: its server sees who left, and has it still', async () => {
  const { room_id: roomId } = await ok(one, alice, 'POST', '/createRoom', { preset: 'public_chat' })
  const room = segment(roomId as string)
  await ok(two, bob, 'POST', `/join/${room}?via=${one.name}`, {})
  const shown = await admin('GET', `/v1/rooms/${room}`)
  assert.deepEqual([shown['joined_members'], shown['joined_local_members']], [2, 1])
  const known = await admin('GET', `/v1/federation/destinations/${one.name}`)
  assert.equal(known['destination'], one.name)
  const { rooms } = await admin('GET', `/v1/federation/destinations/${one.name}/rooms`)
  assert.ok((rooms as JsonObject[]).some((one) => one['room_id'] === roomId))
  const { kicked_users: kicked } = await admin('DELETE', `/v1/rooms/${room}`, {})
  assert.deepEqual(kicked, [bob.userId])
  const member = await ok(one, alice, 'GET', `/rooms/${room}/state/m.room.member/${segment(bob.userId)}`)
  assert.equal(member['membership'], 'leave')
})
