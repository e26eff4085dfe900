import fc from 'fast-check'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { addEvent, draftEvent, makeOwnRoom, type EvilRoom } from './evil-room.ts'
import type { Asked, EvilAnswer } from './evil-server.ts'
import { endless } from './manners.ts'
import { mutate, mutations, oddValue } from './odd.ts'
import { answerHonestly, type World } from './world.ts'
import { sendPdus } from './transactions.ts'

/** Answers to questions about the past that no honest server gives. */
function badAnswers(world: World, room: EvilRoom): readonly ((asked: Asked) => EvilAnswer)[] {
  const { evil, mallory } = world
  const elsewhere = makeOwnRoom(room.rules.version, mallory, evil.signer, 3)
  const pdusOf = (of: EvilRoom): unknown[] => [...of.events.values()].map(({ pdu }) => pdu)
  const fill = (pdus: readonly unknown[], ids: readonly unknown[]): EvilAnswer => ({
    json: {
      origin: evil.name,
      origin_server_ts: 1,
      pdus,
      events: pdus,
      auth_chain: pdus,
      pdu_ids: ids,
      auth_chain_ids: ids,
    },
  })
  const unknown = Array.from({ length: 3_000 }, (_, i) => `$${String(i).padStart(43, 'z')}`)
  const chain = [...room.events.values()].slice(-3)
  return [
    () => fill([], []),
    () => fill(pdusOf(elsewhere), [...elsewhere.events.keys()]),
    () =>
      fill(
        Array.from({ length: 2_000 }, () => chain[0]?.pdu),
        unknown,
      ),
    () => fill(unknown, unknown),
    () => fill([null, 5, [], {}, { room_id: room.roomId }], [null, 5, {}]),
    () => fill(forkedBack(room, 150), unknown.slice(0, 50)),
    () => endless('{"pdus":[],"events":["'),
    () => ({ json: { errcode: 'M_LIMIT_EXCEEDED', error: 'x', retry_after_ms: 2 ** 60 }, status: 429 }),
    () => ({ json: [200, { events: {}, pdus: {} }] }),
    () => ({ text: '{"events":[', headers: { 'content-type': 'text/html' } }),
    ({ path }) =>
      fill([room.events.get(decodeURIComponent(path.split('/').at(-1) ?? '') as EventId)?.pdu ?? {}], []),
  ]
}

/** A long chain that nobody asked for, and that leads to nothing we hold. */
function forkedBack(room: EvilRoom, length: number): unknown[] {
  let prev = `$${'q'.repeat(43)}` as EventId
  return Array.from({ length }, (_, i) => {
    const event = draftEvent(room, {
      type: 'm.room.message',
      content: { body: `made up ${i}` },
      prev: [prev],
      depth: 1 + i,
    })
    prev = event.eventId
    return event.pdu
  }).toReversed()
}

/** Events that refer to what we have to ask the enemy for, who answers badly. */
export async function answerBadly(world: World, seed: number, count: number): Promise<void> {
  const { evil } = world
  const all = [...world.rooms, ...world.strong]
  const honest = evil.answer
  const odd = fc.sample(fc.tuple(oddValue, mutations), { seed, numRuns: count })
  for (const [at, [, changes]] of odd.entries()) {
    const room = all[at % all.length]!
    const bad = badAnswers(world, room)
    const kind = bad[at % (bad.length + 4)]
    evil.answer = (asked) => {
      if (asked.path.includes('/send/')) return honest(asked)
      if (kind !== undefined) return kind(asked)
      const good = answerHonestly(world, asked.path, asked.query)
      return { json: mutate(good?.json ?? { pdus: [], events: [] }, changes) }
    }
    const hidden = draftEvent(room, { type: 'm.room.message', content: { body: 'hidden' } })
    const before = room.end
    if (at % 2 === 0) addEvent(room, hidden)
    const auth = `$${String(at).padStart(43, 'a')}` as EventId
    const shown = draftEvent(room, {
      type: 'm.room.message',
      content: { body: 'shown' },
      prev: [hidden.eventId],
    })
    const cites = draftEvent(room, {
      type: 'm.room.message',
      content: { body: 'cites' },
      auth: [...shown.authEventIds, auth],
    })
    room.end = before
    await sendPdus(world, `what has to be asked for, ${at}`, [shown.pdu, cites.pdu])
  }
  // What waits is seen to in the background; the next events are asked for from a server that answers again.
  evil.answer = honest
}

/** Rooms of the enemy's whose history is read back by our people. */
export async function backfillBadly(world: World, seed: number, count: number): Promise<void> {
  const { evil, alice, mallory } = world
  const honest = evil.answer
  const changes = fc.sample(mutations, { seed, numRuns: count })
  for (const [at, change] of changes.entries()) {
    const room = makeOwnRoom(['1', '6', '10', '12'][at % 4]!, mallory, evil.signer, 5)
    const bad = badAnswers(world, room)
    const kind = bad[at % (bad.length + 4)]
    evil.answer = (asked) => {
      const path = asked.path.replace(/^\/_matrix\/federation\/v\d\//, '')
      if (path.startsWith('make_join')) return { json: template(room, alice.userId) }
      if (path.startsWith('send_join')) {
        const state = [...room.state.values()].map(({ pdu }) => pdu)
        return {
          json: { state, auth_chain: state, members_omitted: at % 3 === 0, servers_in_room: [evil.name] },
        }
      }
      if (kind !== undefined) return kind(asked)
      const pdus = [...room.events.values()].map(({ pdu }) => pdu).toReversed()
      return {
        json: mutate({ pdus, events: pdus, auth_chain: pdus, pdu_ids: [], auth_chain_ids: [] }, change),
      }
    }
    const joined = await alice.call(
      'POST',
      `/_matrix/client/v3/join/${encodeURIComponent(room.roomId)}?via=${evil.name}`,
      {},
    )
    world.judge('a join before its history', joined, true)
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room.roomId)}`
    if (joined.status !== 200) continue
    const page = await world.read(alice, `${path}/messages?dir=b&limit=20`)
    if (typeof page['end'] === 'string')
      await world.read(alice, `${path}/messages?dir=b&limit=20&from=${page['end']}`)
    world.judge(
      'a time',
      await alice.call(
        'GET',
        `/_matrix/client/v1/rooms/${encodeURIComponent(room.roomId)}/timestamp_to_event?ts=5&dir=f`,
      ),
      true,
    )
    world.judge('a leave', await alice.call('POST', `${path}/leave`, {}), true)
  }
  evil.answer = honest
}

function template(room: EvilRoom, userId: string): JsonObject {
  const { pdu } = draftEvent(room, {
    type: 'm.room.member',
    sender: userId as never,
    stateKey: userId,
    content: { membership: 'join' },
  })
  const { hashes: _, signatures: __, ...event } = pdu
  return { event: event as unknown as JsonObject, room_version: room.rules.version }
}
