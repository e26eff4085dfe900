import { textOf } from '../text-of.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import type { RoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import { findHead } from '@causeway/homeserver/rooms/load-head.ts'
import type { Chance } from './chance.ts'
import { createHostile, type Hostile } from './hostile.ts'
import { waitingRows } from './invariants.ts'
import type { SimulatedNetwork } from './network.ts'
import { register, roomUrl, type Clients } from './people.ts'
import type { Scheduler } from './scheduler.ts'
import { SimulatedServer, type World } from './simulated-server.ts'

// What happens in a run: a calm beginning, a stretch in which everything goes wrong, and an end in which all is well again.

export interface Scene {
  readonly scheduler: Scheduler
  readonly network: SimulatedNetwork
  readonly clients: Clients
  readonly chance: Chance
  readonly honest: readonly SimulatedServer[]
  readonly evil: SimulatedServer | undefined
  readonly hostile: Hostile | undefined
  readonly rooms: string[]
  /** One user of each honest server who is in every room from the beginning, and whom nobody removes. */
  readonly residents: readonly Person[]
  /** Users whom others invite, remove and ban. */
  readonly guests: readonly Person[]
  /** How often each kind of deed was done. */
  readonly deeds: Map<string, number>
}

export interface Person {
  readonly userId: string
  readonly server: SimulatedServer
}

const SERVERS = 5
const VERSIONS: readonly RoomVersion[] = ['12', '12', '11', '10', '9', '6', '3', '2', '1']
/** Deeds of the middle part, and how long it lasts at most. */
const DEEDS = 28
const PAUSE_MS = 12_000

const text = (body: string): JsonObject => ({ msgtype: 'm.text', body })
const room = encodeURIComponent

async function openServers(world: World, chance: Chance): Promise<SimulatedServer[]> {
  const servers: SimulatedServer[] = []
  const names = [
    ...Array.from({ length: SERVERS }, (_, i) => `hs${i + 1}.test`),
    ...(chance.happens(0.65) ? ['evil.test'] : []),
  ]
  for (const name of names) {
    const skew = { offsetMs: chance.between(-120_000, 120_000), rate: 1 + (chance.fraction() - 0.5) / 500 }
    const server = new SimulatedServer(world, name, skew)
    await server.start()
    servers.push(server)
  }
  return servers
}

async function createRoom(scene: Scene): Promise<void> {
  const { clients, chance, residents, rooms } = scene
  const [first, second, third] = residents as [Person, Person, Person]
  const users = { [second.userId]: 100, [third.userId]: 50 }
  const version = chance.pick(VERSIONS)
  const levels = {
    users: version === '12' ? users : { ...users, [first.userId]: 100 },
    ...(version === '12' ? {} : {}),
  }
  const body = {
    preset: 'public_chat',
    room_version: version,
    power_level_content_override: levels,
    ...(chance.happens(0.3)
      ? {
          initial_state: [
            { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: 'joined' } },
          ],
        }
      : {}),
  }
  const answer = await clients.must(first.server, first.userId, {
    what: 'makes a room',
    method: 'POST',
    url: '/_matrix/client/v3/createRoom',
    body,
  })
  rooms.push(textOf(answer['room_id']))
}

const joinRequest = (roomId: string) => ({
  what: 'joins',
  method: 'POST',
  url: `/_matrix/client/v3/join/${room(roomId)}?server_name=hs1.test&server_name=hs2.test`,
  body: {},
})

/** Servers, people and rooms. */
export async function setUp(world: World, clients: Clients, chance: Chance): Promise<Scene> {
  const servers = await openServers(world, chance)
  const honest = servers.slice(0, SERVERS)
  const evil = servers[SERVERS]
  const residents: Person[] = []
  const guests: Person[] = []
  for (const server of honest) residents.push({ userId: await register(clients, server, 'resident'), server })
  for (const server of honest.slice(2))
    guests.push({ userId: await register(clients, server, 'guest'), server })
  const hostile = evil === undefined ? undefined : createHostile(evil, chance.fork('hostile'))
  if (evil !== undefined && hostile !== undefined) {
    await register(clients, evil, 'mallory')
    guests.push({ userId: hostile.user, server: evil })
  }
  const rooms: string[] = []
  const { scheduler, network } = world
  const scene: Scene = {
    scheduler,
    network,
    clients,
    chance,
    honest,
    evil,
    hostile,
    rooms,
    residents,
    guests,
    deeds: new Map(),
  }
  for (let i = chance.between(1, 2); i > 0; i--) await createRoom(scene)
  for (const roomId of rooms) {
    for (const { server, userId } of residents.slice(1))
      await clients.must(server, userId, joinRequest(roomId))
    for (const { server, userId } of guests) {
      if (chance.happens(0.7)) await clients.must(server, userId, joinRequest(roomId))
    }
  }
  await scheduler.runUntil(scheduler.now() + 60_000)
  for (const { event_id } of await honest[0]!.db.query<{ event_id: string }>(
    'SELECT event_id FROM events',
    [],
  )) {
    clients.early.add(event_id)
  }
  return scene
}

const isHostile = ({ server }: Person): boolean => server.name === 'evil.test'

/** One thing that somebody does. */
type Deed = (scene: Scene) => Promise<void> | void

const say: Deed = ({ clients, chance, rooms, residents, guests }) => {
  const roomId = chance.pick(rooms)
  for (let i = chance.between(1, 4); i > 0; i--) {
    const { server, userId } = chance.pick([...residents, ...guests.filter((one) => !isHostile(one))])
    const url = roomUrl(roomId, `send/m.room.message/${chance.token(8)}`)
    clients.send(server, userId, { what: 'says', method: 'PUT', url, body: text(chance.token(10)), roomId })
  }
}

const setState: Deed = ({ clients, chance, rooms, residents }) => {
  const roomId = chance.pick(rooms)
  const { server, userId } = chance.pick(residents.slice(0, 3))
  const kind = chance.pick(['name', 'topic'])
  const url = roomUrl(roomId, `state/m.room.${kind}`)
  clients.send(server, userId, {
    what: `sets the ${kind}`,
    method: 'PUT',
    url,
    body: { [kind]: chance.token(6) },
    roomId,
  })
}

/** Someone with power gives or takes it, as seen by their own server. Everybody may go on to speak: who cannot, cannot spread what only they know. */
const changeLevels: Deed = async ({ clients, chance, rooms, residents, guests }) => {
  const roomId = chance.pick(rooms)
  const { server, userId } = chance.pick(residents.slice(0, 2))
  const url = roomUrl(roomId, 'state/m.room.power_levels')
  if (!server.isUp) return
  const levels = await clients.must(server, userId, { what: 'reads levels', method: 'GET', url })
  // Never the hostile one: what it then did would be its right.
  const target = chance.pick([residents[2]!, ...guests.filter((one) => !isHostile(one))]).userId
  const users = { ...(levels['users'] as JsonObject), [target]: chance.pick([0, 0, 25, 50]) }
  const body = {
    ...levels,
    users,
    ...(chance.happens(0.3) ? { kick: chance.pick([25, 50]) } : {}),
  }
  clients.send(server, userId, { what: 'sets levels', method: 'PUT', url, body, roomId })
}

const removeSomebody: Deed = ({ clients, chance, rooms, residents, guests }) => {
  if (guests.length === 0) return
  const roomId = chance.pick(rooms)
  const { server, userId } = chance.pick(residents.slice(0, 3))
  const what = chance.pick(['kick', 'ban', 'ban', 'unban', 'invite'])
  const url = roomUrl(roomId, what)
  clients.send(server, userId, { what, method: 'POST', url, body: { user_id: chance.pick(guests).userId } })
}

const comeOrGo: Deed = ({ clients, chance, rooms, guests }) => {
  const { server, userId } = chance.pick(guests)
  const roomId = chance.pick(rooms)
  if (chance.happens(0.6)) clients.send(server, userId, joinRequest(roomId))
  else
    clients.send(server, userId, { what: 'leaves', method: 'POST', url: roomUrl(roomId, 'leave'), body: {} })
}

const changeRules: Deed = ({ clients, chance, rooms, residents }) => {
  const roomId = chance.pick(rooms)
  const { server, userId } = chance.pick(residents.slice(0, 2))
  const url = roomUrl(roomId, 'state/m.room.join_rules')
  const body = { join_rule: chance.pick(['public', 'public', 'invite']) }
  clients.send(server, userId, { what: 'sets join rules', method: 'PUT', url, body, roomId })
}

const redact: Deed = ({ clients, chance, residents }) => {
  const said = clients.acknowledged.filter(({ what }) => what === 'says')
  if (said.length === 0) return
  const { eventId, roomId } = chance.pick(said)
  const { server, userId } = chance.pick(residents.slice(0, 3))
  const url = roomUrl(roomId, `redact/${encodeURIComponent(eventId)}/${chance.token(8)}`)
  clients.send(server, userId, { what: 'redacts', method: 'PUT', url, body: {}, roomId })
}

const partition: Deed = ({ network, chance, honest, evil }) => {
  const names = chance.shuffle([...honest, ...(evil === undefined ? [] : [evil])].map(({ name }) => name))
  const at = chance.between(1, names.length - 1)
  network.partition([names.slice(0, at), names.slice(at)])
}

const cutOneWay: Deed = ({ network, chance, honest }) => {
  const [from, to] = chance.shuffle(honest)
  network.cut(from!.name, to!.name)
}

const changeWeather: Deed = ({ network, chance }) => {
  Object.assign(network.weather, {
    delayMs: chance.pick([5, 20, 200, 3_000]),
    loss: chance.pick([0, 0.02, 0.1, 0.3]),
    duplicates: chance.pick([0, 0.1, 0.3]),
  })
}

const heal: Deed = ({ network }) => network.heal()

/** It may have been in the middle of anything, and comes back later. */
const crash: Deed = async ({ scheduler, chance, honest, evil }) => {
  const server = chance.pick([...honest, ...(evil === undefined ? [] : [evil])])
  if (!server.isUp) return
  const until = scheduler.steps() + chance.below(200)
  await scheduler.runUntil(scheduler.now() + 2_000, () => scheduler.steps() >= until)
  scheduler.note(`${server.name} crashes`)
  await server.crash()
  await scheduler.runUntil(scheduler.now() + chance.pick([10, 1_000, 60_000]))
  await server.start()
}

const jumpClock: Deed = ({ chance, honest }) => {
  chance.pick(honest).skew.offsetMs += chance.between(-60_000, 300_000)
}

/** For a while one server can write only what needs no more room. */
const fillDisk: Deed = async ({ scheduler, chance, honest }) => {
  const server = chance.pick(honest)
  await server.fillDisk()
  scheduler.at(scheduler.now() + chance.between(1_000, 40_000), `${server.name} has room again`, () => {
    void server.freeDisk()
  })
}

const attack: Deed = async ({ chance, hostile, evil, rooms, honest, residents, deeds }) => {
  if (hostile === undefined || evil?.isUp !== true) return
  const targets: ServerName[] = honest.filter(() => chance.happens(0.75)).map(({ name }) => name)
  if (targets.length === 0) return
  const what = await hostile.attack(
    rooms,
    targets,
    residents.map(({ userId }) => userId),
  )
  deeds.set(`hostile: ${what}`, (deeds.get(`hostile: ${what}`) ?? 0) + 1)
}

/** By weight. */
const MIDDLE: readonly (readonly [number, Deed])[] = [
  [12, say],
  [4, setState],
  [3, changeLevels],
  [4, removeSomebody],
  [4, comeOrGo],
  [1, changeRules],
  [2, redact],
  [3, partition],
  [2, cutOneWay],
  [3, changeWeather],
  [3, heal],
  [3, crash],
  [2, jumpClock],
  [3, fillDisk],
  [10, attack],
]
const TOTAL = MIDDLE.reduce((sum, [weight]) => sum + weight, 0)

function pickDeed(chance: Chance): Deed {
  let left = chance.below(TOTAL)
  for (const [weight, deed] of MIDDLE) {
    if (left < weight) return deed
    left -= weight
  }
  return say
}

/** The middle part. */
export async function misbehave(scene: Scene): Promise<void> {
  const { scheduler, chance, deeds } = scene
  for (let i = 0; i < DEEDS; i++) {
    await scheduler.runUntil(scheduler.now() + chance.fraction() ** 2 * PAUSE_MS)
    const deed = pickDeed(chance)
    scheduler.note(deed.name)
    deeds.set(deed.name, (deeds.get(deed.name) ?? 0) + 1)
    const doing = Promise.resolve(deed(scene))
    // A crash runs the scheduler itself.
    if (deed === crash) await doing
    else await scheduler.settle(doing, 600_000)
  }
}

const MINUTE_MS = 60_000

/** Rounds in which every resident says a word, at most: what is not one by then is broken. */
const MAX_ROUNDS = 4

/** The end: everybody is up and reaches everybody, and each resident says a word now and then until all agree. */
export async function calmDown(scene: Scene): Promise<void> {
  const { scheduler, network, honest, evil } = scene
  network.heal()
  for (const server of [...honest, ...(evil === undefined ? [] : [evil])])
    if (!server.isUp) await server.start()
  for (const server of honest) await server.freeDisk()
  await scheduler.runUntil(scheduler.now() + 30 * MINUTE_MS)
  for (let round = 0; round < MAX_ROUNDS && (round === 0 || !(await isCalm(scene))); round++) {
    await sayOneWordEach(scene, round)
    await scheduler.runUntil(scheduler.now() + 10 * MINUTE_MS)
  }
  await scheduler.runUntil(scheduler.now() + 90 * MINUTE_MS)
}

async function sayOneWordEach(
  { scheduler, chance, rooms, residents, clients }: Scene,
  round: number,
): Promise<void> {
  for (const roomId of rooms) {
    for (const { server, userId } of chance.shuffle(residents)) {
      const url = roomUrl(roomId, `send/m.room.message/${chance.token(8)}`)
      const body = text(`round ${round}`)
      clients.send(server, userId, { what: 'says at the end', method: 'PUT', url, body, roomId })
      await scheduler.runUntil(scheduler.now() + MINUTE_MS)
    }
  }
}

/** Whether nothing waits for anything, and all rooms end in the same events everywhere. */
async function isCalm({ honest, rooms, clients }: Scene): Promise<boolean> {
  if (clients.open() > 0) return false
  for (const server of honest) if ((await waitingRows(server)) > 0) return false
  for (const roomId of rooms) {
    const ends = new Set<string>()
    for (const server of honest) {
      const head = await findHead(server.hs.rooms, roomId as RoomId)
      ends.add(JSON.stringify(head?.extremities.map(({ eventId }) => eventId).toSorted()))
    }
    if (ends.size > 1) return false
  }
  return true
}
