import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { JsonObject, Pdu, RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { makeAuthority, type TestAuthority } from '@causeway/testkit/certificates.ts'
import { loginUser, registerUser, type TestUser } from '@causeway/testkit/matrix-client.ts'
import { freePort } from '@causeway/testkit/free-port.ts'
import { emptyFolder, startServer, type Kind, type Measured } from './servers.ts'
import { ROOM_VERSION, SignedRoom } from './signed-room.ts'
import { startSigningServer, type Respond, type SigningServer } from './signing-server.ts'

/** What has to be known to start a server again on the data of a room that was built once. */
export interface Crowd {
  readonly roomId: RoomId
  readonly name: string
  readonly members: number
  /** Of the resident, whose name tells it. */
  readonly federationPort: number
  /** Of the server whose users the members are, and its key. */
  readonly signingPort: number
  readonly seed: string
}

const MESSAGES = 30
const FILE = 'crowd.json'

/** The room as the signing server holds it before the resident joins. */
function buildRoom(server: SigningServer, members: number): { room: SignedRoom; events: RoomEvent[] } {
  const founder = server.user('founder')
  const room = new SignedRoom(server, `!crowd${members}:${server.name}` as RoomId)
  const state = (type: string, content: JsonObject): RoomEvent =>
    room.send({ type, sender: founder, stateKey: '', content })
  const events = [
    state('m.room.create', { room_version: ROOM_VERSION }),
    room.join(founder, 'Founder'),
    state('m.room.power_levels', { users: { [founder]: 100 } }),
    state('m.room.join_rules', { join_rule: 'public' }),
    state('m.room.history_visibility', { history_visibility: 'shared' }),
    state('m.room.name', { name: 'Crowd' }),
  ]
  for (let at = 1; at < members; at++) events.push(room.join(server.user(`member${at}`), `Member ${at}`))
  return { room, events }
}

/** What the resident asks when it joins. */
function respondFor({ room, events }: ReturnType<typeof buildRoom>): Respond {
  return (method, uri, body) => {
    if (method === 'PUT' && uri.includes('/v1/send/')) return { pdus: {} }
    if (uri.includes('/make_join/')) {
      const user = decodeURIComponent(uri.split('?')[0]!.split('/').at(-1)!)
      return room.joinTemplate(user as UserId)
    }
    if (!uri.includes('/v2/send_join/')) return undefined
    const pdus = events.map(({ pdu }) => pdu as unknown as JsonObject)
    return {
      origin: room.roomId.split(':').slice(1).join(':'),
      state: pdus,
      auth_chain: pdus.slice(0, 4),
      event: JSON.parse(body) as Pdu as unknown as JsonObject,
      members_omitted: false,
    }
  }
}

const segment = encodeURIComponent

/** A room of `members` on a server of this kind, made once by a join of it, and kept in `folder`. */
async function buildCrowd(kind: Kind, members: number, folder: string): Promise<Crowd> {
  await using stack = new AsyncDisposableStack()
  const authority = makeAuthority()
  const [federationPort, signingPort] = [await freePort(), await freePort()]
  const seed = randomBytes(32).toString('base64')
  let respond: Respond = () => undefined
  const signing = stack.use(
    await startSigningServer({
      authority,
      port: signingPort,
      seed,
      respond: (...request) => respond(...request),
    }),
  )
  const made = buildRoom(signing, members)
  respond = respondFor(made)
  const { roomId } = made.room
  const data = await emptyFolder(folder, 'data')
  const resident = stack.use(await startServer({ kind, authority, folder: data, federationPort }))
  const alice = await registerUser(resident.url, 'alice')
  await alice.call('POST', `/join/${segment(roomId)}?server_name=${signing.name}&via=${signing.name}`, {})
  for (let at = 0; at < MESSAGES; at++) {
    const content = { msgtype: 'm.text', body: `message ${at}` }
    await alice.call('PUT', `/rooms/${segment(roomId)}/send/m.room.message/${at}`, content)
  }
  const joined = await alice.call('GET', `/rooms/${segment(roomId)}/joined_members`)
  const count = Object.keys(joined['joined'] as JsonObject).length
  if (count !== members + 1) throw new Error(`the room has ${count} members`)
  return { roomId, name: 'Crowd', members, federationPort, signingPort, seed }
}

/** The room's data, built unless they are in the cache; made anew there by deleting the folder. */
export async function ensureCrowd(kind: Kind, members: number, cache: string): Promise<string> {
  const folder = path.join(cache, `crowd-${members}-${kind}`)
  const file = path.join(folder, FILE)
  if (existsSync(file)) return folder
  const crowd = await buildCrowd(kind, members, folder)
  await writeFile(file, JSON.stringify(crowd))
  return folder
}

/** The room with its resident running on a copy of its data. */
export interface RunningCrowd extends AsyncDisposable {
  readonly crowd: Crowd
  readonly authority: TestAuthority
  readonly resident: Measured
  readonly alice: TestUser
}

export async function startCrowd(kind: Kind, folder: string, work: string): Promise<RunningCrowd> {
  await using starting = new AsyncDisposableStack()
  const crowd = JSON.parse(await readFile(path.join(folder, FILE), 'utf8')) as Crowd
  const authority = makeAuthority()
  const data = await emptyFolder(work, 'resident')
  await cp(path.join(folder, 'data'), data, { recursive: true })
  starting.use(
    await startSigningServer({
      authority,
      port: crowd.signingPort,
      seed: crowd.seed,
      respond: (method, uri) => (method === 'PUT' && uri.includes('/send/') ? { pdus: {} } : undefined),
    }),
  )
  const { federationPort } = crowd
  const resident = starting.use(await startServer({ kind, authority, folder: data, federationPort }))
  const alice = await loginUser(resident.url, 'alice')
  const all = starting.move()
  return { crowd, authority, resident, alice, [Symbol.asyncDispose]: () => all.disposeAsync() }
}
