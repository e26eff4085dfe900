import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { buildEvent } from '@causeway/matrix/events/build.ts'
import { toRoomEvent } from '@causeway/matrix/events/make-room-event.ts'
import type { JsonObject, RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import { signEvent } from '@causeway/matrix/signing/sign-json.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { findRoomRow } from '@causeway/store/tables/rooms.ts'
import { sha256 } from '../crypto/sha256.ts'
import { refused, unreachable, type AskedRequest, type TestPeers } from '../federation/test-peers.ts'
import { RawJson } from '../http/endpoint.ts'
import { readStoredExtremities } from '../rooms/head.ts'
import { findEvent } from '../rooms/read-events.ts'
import { ok } from '../test-call.ts'
import { findServerDrivers, type TestLogin, type TestServer } from '../test-server.ts'
import { openDoctorStage, type DoctorStage } from './test-doctor.ts'

const segment = encodeURIComponent

for (const driver of await findServerDrivers()) {
  describe(`the room doctor on ${driver.name}`, { skip: driver.skip, timeout: 300_000 }, () => {
    let peers: TestPeers
    let ours: TestServer
    let theirs: TestServer
    let third: TestServer
    let alice: TestLogin
    let bob: TestLogin
    let carol: TestLogin
    let stage: DoctorStage
    before(async () => {
      stage = await openDoctorStage(driver)
      ;({ peers, ours, theirs, third, alice, bob, carol } = stage)
    })
    after(() => stage[Symbol.asyncDispose]())
    const delivered: DoctorStage['delivered'] = () => stage.delivered()
    const say: DoctorStage['say'] = (...of) => stage.say(...of)
    const send: DoctorStage['send'] = (...of) => stage.send(...of)
    const stateOf: DoctorStage['stateOf'] = (...of) => stage.stateOf(...of)
    const doctor: DoctorStage['doctor'] = (...of) => stage.doctor(...of)

    /** A room of Alice's that Bob and Carol are in, all of whose servers have everything. */
    async function makeRoom(): Promise<string> {
      const made = await ok(theirs, alice, 'POST', '/createRoom', { preset: 'public_chat' })
      const roomId = made['room_id'] as string
      await ok(ours, bob, 'POST', `/join/${segment(roomId)}?via=theirs`, {})
      await ok(third, carol, 'POST', `/join/${segment(roomId)}?via=theirs`, {})
      await delivered()
      return roomId
    }

    async function sync(since?: string): Promise<{ next: string; room: (roomId: string) => JsonObject }> {
      const path = since === undefined ? '/sync?timeout=0' : `/sync?timeout=0&since=${since}`
      const answer = await ok(ours, bob, 'GET', path)
      const joined = ((answer['rooms'] as JsonObject)['join'] ?? {}) as JsonObject
      return {
        next: answer['next_batch'] as string,
        room: (roomId) => (joined[roomId] ?? {}) as JsonObject,
      }
    }

    const eventsOf = (room: JsonObject, part: string): JsonObject[] =>
      (((room[part] ?? {}) as JsonObject)['events'] ?? []) as JsonObject[]

    /** From now on PDUs to our server are lost on the way, in transactions, unless the test keeps them. */
    function loseOnTheWay(isLost: (pdu: JsonObject) => boolean): void {
      peers.play('ours', async (request) => {
        if (!request.path.includes('/send/')) return peers.pass(request)
        const given = request.body
        const body = given instanceof RawJson ? (JSON.parse(given.text) as JsonObject) : { ...given }
        body['pdus'] = ((body['pdus'] ?? []) as JsonObject[]).filter((pdu) => !isLost(pdu))
        return peers.pass({ ...request, body })
      })
    }

    it('says that the state is the same where it is', async () => {
      const roomId = await makeRoom()
      const found = await doctor(roomId)
      assert.equal(found['verdict'], 'the state is the same', JSON.stringify(found))
      const servers = found['servers'] as JsonObject[]
      assert.deepEqual(
        servers.map(({ server, answer }) => `${server as string}: ${answer as string}`).toSorted(),
        ['theirs: same state', 'third: same state'],
      )
      assert.deepEqual([found['differences'], found['advice']], [[], null])
    })

    it('shows an event that never came, fetches it, and clients are told', async () => {
      const roomId = await makeRoom()
      loseOnTheWay(() => true)
      const { event_id: topic } = await send(alice, roomId, 'm.room.topic', { topic: 'lost' })
      await send(alice, roomId, 'm.room.name', { name: 'lost as well' })
      await delivered()
      peers.stopPlaying('ours')
      const { next } = await sync()
      const found = await doctor(roomId)
      assert.equal(found['verdict'], 'the state differs')
      const differences = found['differences'] as JsonObject[]
      assert.deepEqual(
        differences.map((one) => [one['type'], one['ours'], one['theirs'], one['sender'], one['why']]),
        [['m.room.topic', null, topic, alice.userId, 'we never received it']],
      )
      assert.deepEqual((differences[0]!['according_to'] as string[]).toSorted(), ['theirs', 'third'])
      assert.equal((await stateOf(bob, roomId)).has('m.room.topic|'), false, 'it only looked')
      const mended = await doctor(roomId, { repair: true })
      assert.equal(mended['verdict'], 'the state is the same', JSON.stringify(mended))
      assert.deepEqual(await stateOf(bob, roomId), await stateOf(alice, roomId))
      const told = (await sync(next)).room(roomId)
      assert.deepEqual(
        eventsOf(told, 'timeline').map(({ type }) => type),
        ['m.room.topic', 'm.room.name'],
      )
    })

    /**
     * Alice gives Dan power, says something, and Dan sets the topic and lets somebody go. The first of these events is
     * lost, and nobody gives it when it is asked for: so what Dan did is rejected.
     */
    async function rejectWrongly(
      roomId: string,
      dan: TestLogin,
      eve: TestLogin,
    ): Promise<Record<string, string>> {
      const levels = await ok(theirs, alice, 'GET', `/rooms/${segment(roomId)}/state/m.room.power_levels/`)
      const users = { ...(levels['users'] as JsonObject), [dan.userId]: 60 }
      const withheld: { id?: string } = {}
      loseOnTheWay(
        ({ type, content }) =>
          type === 'm.room.power_levels' || (content as JsonObject)['body'] === 'lost on the way',
      )
      const withholding = async (request: AskedRequest): Promise<JsonObject> => {
        if (request.path.includes(`/event/${segment(withheld.id ?? '-')}`))
          throw refused('theirs', 404, 'M_NOT_FOUND')
        const answer = await peers.pass(request)
        if (!request.path.includes('/get_missing_events/')) return answer
        const events = (answer['events'] as JsonObject[]).filter(({ type }) => type !== 'm.room.power_levels')
        return { ...answer, events }
      }
      peers.play('theirs', withholding)
      peers.play('third', withholding)
      const power = await send(alice, roomId, 'm.room.power_levels', { ...levels, users })
      withheld.id = power['event_id'] as string
      await say(alice, roomId, 'lost on the way')
      const topic = await send(dan, roomId, 'm.room.topic', { topic: 'by Dan' })
      await ok(theirs, dan, 'POST', `/rooms/${segment(roomId)}/kick`, { user_id: eve.userId })
      await say(alice, roomId, 'after it')
      await delivered()
      for (const name of ['ours', 'theirs', 'third']) peers.stopPlaying(name)
      return { power: withheld.id, topic: topic['event_id'] as string }
    }

    it('shows what was rejected because something was missing, and judges it anew', async () => {
      const roomId = await makeRoom()
      const dan = await theirs.register('dan')
      const eve = await theirs.register('eve')
      for (const one of [dan, eve]) await ok(theirs, one, 'POST', `/join/${segment(roomId)}`, {})
      await delivered()
      const offline = { since: (await sync()).next, state: await stateOf(bob, roomId) }
      const ids = await rejectWrongly(roomId, dan, eve)
      const before = await sync()
      const found = await doctor(roomId)
      const differences = found['differences'] as JsonObject[]
      const byKey = new Map(
        differences.map((one) => [`${one['type'] as string}|${one['state_key'] as string}`, one]),
      )
      assert.deepEqual(
        [...byKey.keys()].toSorted(),
        ['m.room.member|' + eve.userId, 'm.room.power_levels|', 'm.room.topic|'],
        JSON.stringify(found, undefined, 1),
      )
      const ofTopic = byKey.get('m.room.topic|')!
      assert.equal(ofTopic['theirs'], ids['topic'])
      assert.match(ofTopic['why'] as string, /^we rejected it: .*power/)
      assert.equal(byKey.get('m.room.power_levels|')!['theirs'], ids['power'])
      assert.equal(
        byKey.get('m.room.power_levels|')!['why'],
        'we hold it for reference only, not as part of the room',
      )
      const mended = await doctor(roomId, { repair: true })
      assert.equal(mended['verdict'], 'the state is the same', JSON.stringify(mended, undefined, 1))
      assert.deepEqual(await stateOf(bob, roomId), await stateOf(alice, roomId))
      // Clients are told, and so is everything that goes by memberships.
      const told = (await sync(before.next)).room(roomId)
      const seen = [...eventsOf(told, 'state'), ...eventsOf(told, 'timeline')].map(
        (event) => `${event['type'] as string}|${(event['state_key'] as string) ?? ''}`,
      )
      for (const key of byKey.keys()) assert.ok(seen.includes(key), `${key} is not among ${seen.join(' ')}`)
      // Who comes back later is told all that is different, too.
      const missed = (await sync(offline.since)).room(roomId)
      for (const event of [...eventsOf(missed, 'state'), ...eventsOf(missed, 'timeline')]) {
        if (typeof event['state_key'] !== 'string') continue
        offline.state.set(`${event['type'] as string}|${event['state_key']}`, event['event_id'] as string)
      }
      assert.deepEqual(offline.state, await stateOf(bob, roomId))
      const { hs } = ours
      const rooms = await hs.rooms.members.roomsOf(eve.userId as never)
      assert.equal(rooms.byId.get(roomId as RoomId)?.membership, 'leave')
      assert.equal(
        (await ok(ours, bob, 'GET', `/rooms/${segment(roomId)}/joined_members`))['joined']?.[
          eve.userId as never
        ],
        undefined,
      )
      // And the room goes on, in both directions.
      await say(bob, roomId, 'ours goes on')
      await send(dan, roomId, 'm.room.topic', { topic: 'once more' })
      await delivered()
      assert.deepEqual(await stateOf(bob, roomId), await stateOf(alice, roomId))
      assert.equal((await doctor(roomId))['verdict'], 'the state is the same')
    })

    /** An event of the third server's that it made up just now, beside where the room has gone since. */
    function backdate(draft: {
      readonly roomId: string
      readonly sender: string
      readonly prev: string
      readonly depth: number
      readonly auth: readonly string[]
      readonly topic: string
    }): RoomEvent {
      const rules = findRoomVersion('12')!
      const built = buildEvent(
        rules,
        {
          type: 'm.room.topic',
          stateKey: '',
          sender: draft.sender as UserId,
          content: { topic: draft.topic },
          roomId: draft.roomId as RoomId,
          originServerTs: third.hs.clock.now() + 3_600_000,
          depth: draft.depth,
          prevEventIds: [draft.prev as EventId],
          authEventIds: draft.auth as EventId[],
        },
        { sha256 },
      )
      const { pdu } = built
      return toRoomEvent(rules, signEvent(rules, pdu, third.hs.signer), sha256, built.eventId)
    }

    it('is not misled: a server that lies about the state changes nothing, whatever it makes up', async () => {
      const roomId = await makeRoom()
      const mallory = await third.register('mallory')
      await ok(third, mallory, 'POST', `/join/${segment(roomId)}`, {})
      await delivered()
      const joined = await stateOf(alice, roomId)
      const levels = await ok(theirs, alice, 'GET', `/rooms/${segment(roomId)}/state/m.room.power_levels/`)
      const users = { ...(levels['users'] as JsonObject), [mallory.userId]: 50 }
      const { event_id: power } = await send(alice, roomId, 'm.room.power_levels', { ...levels, users })
      const { event_id: oldTopic } = await send(alice, roomId, 'm.room.topic', { topic: 'old' })
      const { event_id: prev } = await say(alice, roomId, 'before the ban')
      await ok(theirs, alice, 'POST', `/rooms/${segment(roomId)}/ban`, { user_id: mallory.userId })
      await send(alice, roomId, 'm.room.topic', { topic: 'new' })
      await delivered()
      const place = (await findEvent(third.hs.rooms, prev as EventId))!
      const join = joined.get(`m.room.member|${mallory.userId}`) as string
      const made = backdate({
        roomId,
        sender: mallory.userId,
        prev: prev as string,
        depth: place.depth + 1,
        auth: [power as string, join],
        topic: 'hers',
      })
      const truth = await stateOf(alice, roomId)
      const lie = async (request: AskedRequest): Promise<JsonObject> => {
        const { path } = request
        if (path.includes('/timestamp_to_event/')) return { event_id: made.eventId, origin_server_ts: 0 }
        if (path.includes(`/event/${segment(made.eventId)}`))
          return { pdus: [structuredClone(made.pdu) as never] }
        if (!path.includes('/state_ids/')) return peers.pass(request)
        const ids = new Map([...truth].filter(([key]) => !key.startsWith('m.room.join_rules')))
        ids.set(`m.room.member|${mallory.userId}`, join)
        ids.set('m.room.topic|', made.eventId)
        return {
          pdu_ids: [...(ids.values() as Iterable<string>), oldTopic as string, '$madeup'],
          auth_chain_ids: [],
        }
      }
      peers.play('third', lie)
      const endsOf = async (): Promise<readonly string[]> => {
        const row = await findRoomRow(ours.hs.db, roomId)
        return readStoredExtremities(row!).eventIds
      }
      const ends = await endsOf()
      const found = await doctor(roomId, { servers: 'third' })
      const lies = new Map(
        (found['differences'] as JsonObject[]).map((one) => [
          one['theirs'] ?? one['type'],
          one['why'] as string,
        ]),
      )
      assert.match(lies.get(made.eventId)!, /never received/)
      assert.match(lies.get('$madeup')!, /they name it and do not give it/)
      assert.match(lies.get(join)!, /resolved to another one/)
      assert.match(lies.get('m.room.join_rules')!, /they have nothing there/)
      const after = await doctor(roomId, { servers: 'third', repair: true })
      assert.deepEqual(await stateOf(bob, roomId), truth, JSON.stringify(after, undefined, 1))
      assert.deepEqual(await endsOf(), ends)
      assert.deepEqual((after['repair'] as JsonObject)['state_changes'], [])
      const held = await findEvent(ours.hs.rooms, made.eventId)
      assert.equal(held!.flags & EventFlag.softFailed, EventFlag.softFailed, 'taken for what it is: too late')
      peers.stopPlaying('third')
      assert.equal(
        (await ok(ours, bob, 'GET', `/rooms/${segment(roomId)}/joined_members`))['joined']?.[
          mallory.userId as never
        ],
        undefined,
      )
    })

    it('says which servers give no answer, and what to do when none does', async () => {
      const roomId = await makeRoom()
      for (const name of ['theirs', 'third']) peers.play(name, () => unreachable(name))
      const found = await doctor(roomId, { servers: 'fourth.example,theirs' })
      for (const name of ['theirs', 'third']) peers.stopPlaying(name)
      assert.equal(found['verdict'], 'no other server could be asked')
      assert.deepEqual(
        (found['servers'] as JsonObject[]).map(
          ({ server, answer }) => `${server as string}: ${answer as string}`,
        ),
        ['fourth.example', 'theirs', 'third'].map((name) => `${name}: ${name} does not answer`),
      )
      assert.match(found['advice'] as string, /--servers/)
      await assert.rejects(doctor(roomId, { servers: 'no/name' }), /no server name/)
      const left = await ok(theirs, alice, 'POST', '/createRoom', {})
      await assert.rejects(doctor(left['room_id'] as string), /does not know the room/)
    })
  })
}
