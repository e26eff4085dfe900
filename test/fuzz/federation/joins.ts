import fc from 'fast-check'
import type { JsonObject, Pdu } from '@causeway/matrix/events/pdu.ts'
import { toRoomEvent } from '@causeway/matrix/events/make-room-event.ts'
import { sha256 } from '@causeway/testkit/matrix/ed25519.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { draftEvent, makeOwnRoom, resign, type EvilRoom } from './evil-room.ts'
import type { Answer, EvilAnswer } from './evil-server.ts'
import { endless } from './manners.ts'
import { mutate, mutations, type Mutation } from './odd.ts'
import type { World } from './world.ts'

/** What an honest resident answers to somebody who joins. */
function templateOf(room: EvilRoom, userId: string): JsonObject {
  const { pdu } = draftEvent(room, {
    type: 'm.room.member',
    sender: userId as UserId,
    stateKey: userId,
    content: { membership: 'join' },
  })
  const { hashes: _, signatures: __, ...event } = pdu
  return { event: event as unknown as JsonObject, room_version: room.rules.version }
}

function joinAnswerOf(room: EvilRoom, servers: readonly string[]): JsonObject {
  const state = [...room.state.values()].map(({ pdu }) => pdu as unknown as JsonObject)
  return {
    origin: room.signer.serverName,
    state,
    auth_chain: state,
    members_omitted: servers.length > 0,
    servers_in_room: [...servers],
  }
}

/** Answers as a resident of the room, with one of the answers twisted. */
function resident(
  room: EvilRoom,
  twist: (operation: string, answer: JsonObject) => EvilAnswer,
  next: Answer,
): Answer {
  return (asked) => {
    const [operation = '', , last = ''] = asked.path
      .replace(/^\/_matrix\/federation\/v\d\//, '')
      .split('/')
      .map(decodeURIComponent)
    if (operation === 'make_join' || operation === 'make_knock')
      return twist(operation, templateOf(room, last))
    if (operation === 'send_join') return twist(operation, joinAnswerOf(room, []))
    return next(asked)
  }
}

/** Our people join rooms of the enemy's, who answers what nobody should believe. */
export async function joinBadRooms(world: World, seed: number, count: number): Promise<void> {
  const { evil, alice, mallory } = world
  const honest = evil.answer
  const choice = fc.record({
    version: fc.constantFrom('1', '6', '10', '12'),
    operation: fc.constantFrom('make_join', 'send_join', 'send_join', 'send_join'),
    changes: mutations,
    isSigned: fc.boolean(),
    members: fc.constantFrom(0, 0, 20),
  })
  for (const { version, operation, changes, isSigned, members } of fc.sample(choice, {
    seed,
    numRuns: count,
  })) {
    const room = makeOwnRoom(version, mallory, evil.signer, members)
    evil.answer = resident(
      room,
      (asked, answer) => ({
        json: asked === operation ? twistAnswer(room, answer, changes, isSigned) : answer,
      }),
      honest,
    )
    await join(
      world,
      room,
      `${operation} of version ${version} twisted: ${JSON.stringify(changes).slice(0, 200)}`,
    )
  }
  for (const [what, bad] of Object.entries(badAnswers(world))) {
    const room = makeOwnRoom('10', mallory, evil.signer)
    evil.answer = resident(room, (asked, answer) => bad(asked, answer, room), honest)
    await join(world, room, what)
  }
  // A knock, and a room that is only looked at.
  evil.answer = () => ({ json: { chunk: [[]], room: 5, children: {}, servers: 'x' } })
  const anyRoom = encodeURIComponent(`!some:${evil.name}`)
  for (const [method, path] of [
    ['POST', `/_matrix/client/v3/knock/${anyRoom}?via=${evil.name}`],
    ['POST', `/_matrix/client/v3/join/${encodeURIComponent(`#x:${evil.name}`)}`],
    ['GET', `/_matrix/client/v3/publicRooms?server=${evil.name}`],
    ['GET', `/_matrix/client/v3/directory/room/${encodeURIComponent(`#x:${evil.name}`)}`],
    ['GET', `/_matrix/client/v3/profile/${encodeURIComponent(mallory)}`],
    ['GET', `/_matrix/client/v1/rooms/${anyRoom}/hierarchy`],
    ['GET', `/_matrix/client/v1/media/download/${evil.name}/abc`],
  ] as const) {
    world.judge(`${method} ${path}`, await alice.call(method, path, method === 'POST' ? {} : undefined), true)
  }
  world.judge(
    'keys',
    await alice.call('POST', '/_matrix/client/v3/keys/query', { device_keys: { [mallory]: [] } }),
  )
  world.judge(
    'claim',
    await alice.call('POST', '/_matrix/client/v3/keys/claim', {
      one_time_keys: { [mallory]: { D: 'signed_curve25519' } },
    }),
  )
  evil.answer = honest
}

async function join(world: World, room: EvilRoom, what: string): Promise<void> {
  const path = `/_matrix/client/v3/join/${encodeURIComponent(room.roomId)}?via=${world.evil.name}`
  const reply = await world.alice.call('POST', path, {})
  world.judge(`a join: ${what}`, reply, true)
  if (reply.status !== 200) return
  const at = `/_matrix/client/v3/rooms/${encodeURIComponent(room.roomId)}`
  await world.read(world.alice, `${at}/messages?dir=b&limit=10`)
  await world.read(world.alice, `${at}/state`)
  // Whatever was joined can be left, and the server is rid of it.
  world.judge(`a leave after: ${what}`, await world.alice.call('POST', `${at}/leave`, {}), true)
}

function twistAnswer(
  room: EvilRoom,
  answer: JsonObject,
  changes: readonly Mutation[],
  isSigned: boolean,
): unknown {
  const twisted = mutate(answer, changes) as JsonObject
  if (!isSigned || !Array.isArray(twisted['state'])) return twisted
  return { ...twisted, state: twisted['state'].map((one) => resign(room, one)) }
}

type Bad = (operation: string, answer: JsonObject, room: EvilRoom) => EvilAnswer

const inJoin =
  (change: (answer: JsonObject, room: EvilRoom) => EvilAnswer): Bad =>
  (operation, answer, room) =>
    operation === 'send_join' ? change(answer, room) : { json: answer }

function badAnswers(world: World): Record<string, Bad> {
  const filler = (count: number): JsonObject[] =>
    Array.from({ length: count }, (_, i) => ({ type: 'x', n: i }))
  return {
    'another room in the template': (operation, answer) =>
      operation === 'make_join'
        ? {
            json: {
              ...answer,
              event: { ...(answer['event'] as JsonObject), room_id: world.rooms[0]!.roomId },
            },
          }
        : { json: answer },
    'an unknown room version': (operation, answer) =>
      operation === 'make_join'
        ? { json: { ...answer, room_version: 'x'.repeat(100_000) } }
        : { json: answer },
    'somebody else in the template': (operation, answer) =>
      operation === 'make_join'
        ? {
            json: {
              ...answer,
              event: {
                ...(answer['event'] as JsonObject),
                sender: world.bob.userId,
                state_key: world.bob.userId,
              },
            },
          }
        : { json: answer },
    'no create event': inJoin((answer) => ({
      json: { ...answer, state: (answer['state'] as JsonObject[]).slice(1), auth_chain: [] },
    })),
    'the state of another room': inJoin(() => ({
      json: { state: [...world.rooms[2]!.state.values()].map(({ pdu }) => pdu), auth_chain: [] },
    })),
    'no state': inJoin(() => ({ json: { state: [], auth_chain: [] } })),
    'a hundred thousand things that are no events': inJoin(() => ({
      json: { state: filler(100_000), auth_chain: [] },
    })),
    'the same event twenty thousand times': inJoin((answer) => ({
      json: { ...answer, state: Array.from({ length: 20_000 }, () => (answer['state'] as JsonObject[])[0]!) },
    })),
    'members left out, and no servers': inJoin((answer) => ({
      json: { ...answer, members_omitted: true, servers_in_room: [] },
    })),
    'members left out, and servers that are none': inJoin((answer) => ({
      json: {
        ...answer,
        members_omitted: true,
        servers_in_room: ['127.0.0.2:1', '', 5, 'x y', 'a'.repeat(300)],
      },
    })),
    'an answer without end': inJoin(() => endless('{"state":["')),
    'a template without end': () => endless('{"event":"'),
    'events that cite each other': inJoin((answer, room) => ({
      json: { ...answer, state: [...(answer['state'] as JsonObject[]), ...citesEachOther(room)] },
    })),
    'another event than the join': inJoin((answer, room) => ({
      json: { ...answer, event: draftEvent(room, { type: 'm.room.message', content: {} }).pdu },
    })),
  }
}

function citesEachOther(room: EvilRoom): JsonObject[] {
  const make = (topic: string, auth: string): JsonObject =>
    resign(room, {
      ...draftEvent(room, { type: 'm.room.topic', stateKey: topic, content: { topic } }).pdu,
      auth_events: room.rules.referencePairs ? [[auth, {}]] : [auth],
    }) as JsonObject
  return [make('a', '$nobody:evil.test'), make('b', `$${'x'.repeat(43)}`)]
}

/** The enemy joins, leaves, knocks and invites the way nobody should. */
export async function sendBadMemberships(world: World, seed: number, count: number): Promise<void> {
  const { evil, alice, mallory } = world
  const all = [...world.rooms, ...world.strong]
  const choice = fc.record({
    room: fc.nat({ max: all.length - 1 }),
    operation: fc.constantFrom(
      'v1/send_join',
      'v2/send_join',
      'v1/send_leave',
      'v2/send_leave',
      'v1/send_knock',
      'v1/invite',
      'v2/invite',
    ),
    membership: fc.constantFrom('join', 'leave', 'knock', 'invite', 'ban'),
    who: fc.constantFrom(mallory, `@new:${evil.name}`, alice.userId),
    changes: fc.oneof({ weight: 3, arbitrary: mutations }, { weight: 1, arbitrary: fc.constant([]) }),
    isSigned: fc.integer({ min: 0, max: 4 }).map((n) => n > 0),
    ofOther: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  })
  for (const one of fc.sample(choice, { seed, numRuns: count })) {
    const room = all[one.room]!
    const sender = (one.operation.endsWith('invite') ? mallory : one.who) as UserId
    const event = draftEvent(room, {
      type: 'm.room.member',
      sender,
      stateKey: one.who,
      content: { membership: one.membership },
    })
    const twisted = mutate(event.pdu, one.changes)
    const pdu = one.isSigned ? resign(room, twisted) : twisted
    const id = one.ofOther ? event.eventId : idOf(room, pdu, event.eventId)
    const isInvite = one.operation === 'v2/invite'
    const body = isInvite
      ? {
          room_version: room.rules.version,
          event: pdu,
          invite_room_state: mutate([event.pdu, {}], one.changes),
        }
      : pdu
    const path = `/_matrix/federation/${one.operation}/${encodeURIComponent(room.roomId)}/${encodeURIComponent(id)}`
    await world.attack(`${one.operation} of ${one.membership}`, 'PUT', path, JSON.stringify(body))
  }
  await sendBadPaths(world)
}

function idOf({ rules }: EvilRoom, pdu: unknown, fallback: string): string {
  try {
    return toRoomEvent(rules, pdu as Pdu, sha256).eventId
  } catch {
    return fallback
  }
}

const ODD_SEGMENTS = [
  '!',
  '%00',
  '%ff',
  'x',
  `!${'a'.repeat(300)}:b`,
  '!nowhere:evil.test',
  '%2e%2e',
  `!${'A'.repeat(43)}`,
]

/** Everything that can be asked of a room, about rooms and events that there are not. */
async function sendBadPaths(world: World): Promise<void> {
  const { mallory } = world
  const user = encodeURIComponent(mallory)
  const good = encodeURIComponent(world.rooms[1]!.roomId)
  for (const segment of [...ODD_SEGMENTS, good]) {
    for (const path of [
      `v1/make_join/${segment}/${user}`,
      `v1/make_join/${segment}/${user}?ver=${'9,'.repeat(3_000)}`,
      `v1/make_leave/${segment}/%40x`,
      `v1/make_knock/${segment}/${user}?ver=7`,
      `v1/state/${segment}?event_id=%24x`,
      `v1/state_ids/${segment}?event_id=`,
      `v1/event/${segment}`,
      `v1/event_auth/${segment}/${segment}`,
      `v1/backfill/${segment}?v=%24x&limit=99999999999999999999`,
      `v1/backfill/${segment}?${'v=%24x&'.repeat(1_000)}limit=10`,
      `v1/timestamp_to_event/${segment}?ts=-1&dir=x`,
      `v1/hierarchy/${segment}?suggested_only=perhaps`,
      `v1/user/devices/${segment}`,
      `v1/query/profile?user_id=${segment}`,
      `v1/query/directory?room_alias=${segment}`,
      `v1/media/download/${segment}`,
      `v1/openid/userinfo?access_token=${segment}`,
      `v1/publicRooms?limit=-1&since=${segment}`,
    ]) {
      await world.attack(path.slice(0, 60), 'GET', `/_matrix/federation/${path}`)
    }
    const ids = Array.from({ length: 900 }, (_, i) => `$e${i}`)
    await world.attack(
      'missing',
      'POST',
      `/_matrix/federation/v1/get_missing_events/${segment}`,
      JSON.stringify({ earliest_events: ids, latest_events: ids, limit: 2 ** 53 - 1, min_depth: -(2 ** 53) }),
    )
  }
}
