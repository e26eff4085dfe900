import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { buildEvent } from '@causeway/matrix/events/build.ts'
import { toRoomEvent } from '@causeway/matrix/events/make-room-event.ts'
import type { JsonObject, RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import { signEvent } from '@causeway/matrix/signing/sign-json.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { findRoomRow } from '@causeway/store/tables/rooms.ts'
import { sha256 } from '../crypto/sha256.ts'
import type { AskedRequest, TestPeers } from '../federation/test-peers.ts'
import { readStoredExtremities } from '../rooms/head.ts'
import { findEvent } from '../rooms/read-events.ts'
import { ok } from '../test-call.ts'
import { findServerDrivers, type TestLogin, type TestServer } from '../test-server.ts'
import { openDoctorStage, type DoctorStage } from './test-doctor.ts'

const segment = encodeURIComponent
const rules = findRoomVersion('12')!

for (const driver of await findServerDrivers()) {
  describe(
    `the room doctor, where the state before our join was a lie, on ${driver.name}`,
    {
      skip: driver.skip,
      timeout: 600_000,
    },
    () => {
      let peers: TestPeers
      let ours: TestServer
      let theirs: TestServer
      let third: TestServer
      let alice: TestLogin
      let mallory: TestLogin
      let bob: TestLogin
      let carol: TestLogin
      let stage: DoctorStage
      before(async () => {
        stage = await openDoctorStage(driver)
        ;({ peers, ours, theirs, third, alice, bob, carol } = stage)
        mallory = await theirs.register('mallory')
      })
      afterEach(() => {
        for (const name of ['theirs', 'third']) peers.stopPlaying(name)
      })
      after(() => stage[Symbol.asyncDispose]())
      const delivered: DoctorStage['delivered'] = () => stage.delivered()
      const say: DoctorStage['say'] = (...of) => stage.say(...of)
      const send: DoctorStage['send'] = (...of) => stage.send(...of)
      const stateOf: DoctorStage['stateOf'] = (...of) => stage.stateOf(...of)
      const doctor: DoctorStage['doctor'] = (...of) => stage.doctor(...of)

      const at = (roomId: string): string => `/rooms/${segment(roomId)}`
      let txn = 0

      /** A room of Alice's that Mallory and, from afar, Carol are in. */
      async function makeRoom(): Promise<string> {
        const made = await ok(theirs, alice, 'POST', '/createRoom', { preset: 'public_chat' })
        const roomId = made['room_id'] as string
        await ok(theirs, mallory, 'POST', `/join/${segment(roomId)}`, {})
        await ok(third, carol, 'POST', `/join/${segment(roomId)}?via=theirs`, {})
        await delivered()
        return roomId
      }

      async function sync(since?: string): Promise<{ next: string; seen: (roomId: string) => JsonObject[] }> {
        const path = since === undefined ? '/sync?timeout=0' : `/sync?timeout=0&since=${since}`
        const answer = await ok(ours, bob, 'GET', path)
        const joined = (((answer['rooms'] ?? {}) as JsonObject)['join'] ?? {}) as JsonObject
        return {
          next: answer['next_batch'] as string,
          seen: (roomId) => {
            const room = (joined[roomId] ?? {}) as JsonObject
            return ['state', 'timeline'].flatMap(
              (part) => (((room[part] ?? {}) as JsonObject)['events'] ?? []) as JsonObject[],
            )
          },
        }
      }

      const pduOf = async (server: TestServer, eventId: string): Promise<JsonObject> => {
        const row = (
          await server.hs.db.query<{ json: string }>(
            'SELECT UTF8(json) AS json FROM events WHERE event_id = ?',
            [eventId],
          )
        )[0]!
        return JSON.parse(Buffer.from(row.json as never).toString()) as JsonObject
      }

      /** Whatever the resident tells us of the room's state holds `instead` in place of an event, or nothing. */
      async function lieAbout(eventId: string, instead: string | undefined): Promise<void> {
        const given = instead === undefined ? [] : [await pduOf(theirs, instead)]
        const truth = await pduOf(theirs, eventId)
        const isTruth = (pdu: unknown): boolean =>
          JSON.stringify((pdu as JsonObject)['signatures']) === JSON.stringify(truth['signatures'])
        const changed = (pdus: unknown): never =>
          [...(pdus as unknown[]).filter((pdu) => !isTruth(pdu)), ...given] as never
        peers.play('theirs', async (request: AskedRequest) => {
          const answer = await peers.pass(request)
          if (request.origin !== 'ours') return answer
          const { path } = request
          if (path.includes('/send_join/')) return { ...answer, state: changed(answer['state']) }
          if (path.includes('/state/')) return { ...answer, pdus: changed(answer['pdus']) }
          if (path.includes('/state_ids/')) {
            const ids = (answer['pdu_ids'] as string[]).filter((id) => id !== eventId)
            return { ...answer, pdu_ids: [...ids, ...(instead === undefined ? [] : [instead])] }
          }
          if (!path.includes('/make_join/') || instead === undefined) return answer
          const event = answer['event'] as JsonObject
          const auth = (event['auth_events'] as string[]).map((id) => (id === eventId ? instead : id))
          return { ...answer, event: { ...event, auth_events: auth } }
        })
      }

      const joinRoom = async (roomId: string): Promise<void> => {
        await ok(ours, bob, 'POST', `/join/${segment(roomId)}?via=theirs`, {})
        await delivered()
      }

      /** An event of Mallory's that their server makes for us alone. */
      async function forUsAlone(
        roomId: string,
        draft: { readonly type: string; readonly stateKey?: string; readonly content: JsonObject },
        auth: readonly (string | undefined)[],
      ): Promise<RoomEvent> {
        const row = await findRoomRow(ours.hs.db, roomId)
        const [endId] = readStoredExtremities(row!).eventIds
        const end = await findEvent(ours.hs.rooms, endId!)
        const built = buildEvent(
          rules,
          {
            type: draft.type,
            ...(draft.stateKey === undefined ? {} : { stateKey: draft.stateKey }),
            sender: mallory.userId as UserId,
            content: draft.content,
            roomId: roomId as RoomId,
            originServerTs: theirs.hs.clock.now(),
            depth: end!.depth + 1,
            prevEventIds: [end!.eventId],
            authEventIds: auth.filter((id) => id !== undefined) as EventId[],
          },
          { sha256 },
        )
        const event = toRoomEvent(rules, signEvent(rules, built.pdu, theirs.hs.signer), sha256, built.eventId)
        const answer = await theirs.hs.federation.client.request('ours' as never, {
          method: 'PUT',
          path: `/_matrix/federation/v1/send/m${txn++}`,
          body: { origin: 'theirs', origin_server_ts: 1, pdus: [event.pdu as never] },
        })
        assert.deepEqual(answer['pdus'], { [event.eventId]: {} })
        return event
      }

      const flagsOf = async (eventId: EventId): Promise<number> =>
        (await findEvent(ours.hs.rooms, eventId))!.flags & (EventFlag.rejected | EventFlag.softFailed)

      const rulings = (found: JsonObject): (readonly unknown[])[] =>
        ((found['before_our_join'] as JsonObject)['differences'] as JsonObject[]).map((one) => [
          `${one['type'] as string}|${one['state_key'] as string}`,
          one['ours'],
          (one['ruling'] as string).split(':')[0]!.split(' ').slice(0, 4).join(' '),
        ])

      /** Everybody sees what Alice sees, and the room goes on. */
      async function isMended(roomId: string): Promise<void> {
        assert.deepEqual(await stateOf(bob, roomId), await stateOf(alice, roomId))
        peers.stopPlaying('theirs')
        await say(bob, roomId, 'we go on')
        await send(alice, roomId, 'm.room.name', { name: 'so do we' })
        await delivered()
        assert.deepEqual(await stateOf(bob, roomId), await stateOf(alice, roomId))
        assert.deepEqual(await stateOf(carol, roomId), await stateOf(alice, roomId))
        assert.equal((await doctor(roomId))['verdict'], 'the state is the same')
      }

      it('finds a ban that was left out, and refuses what the banned have said since', async () => {
        const roomId = await makeRoom()
        const key = `m.room.member|${mallory.userId}`
        const before = await stateOf(alice, roomId)
        await ok(theirs, alice, 'POST', `${at(roomId)}/ban`, { user_id: mallory.userId })
        await delivered()
        const truth = await stateOf(alice, roomId)
        await lieAbout(truth.get(key)!, before.get(key)!)
        await joinRoom(roomId)
        const said = await forUsAlone(
          roomId,
          { type: 'm.room.message', content: { msgtype: 'm.text', body: 'I was never banned' } },
          [before.get('m.room.power_levels|'), before.get(key)],
        )
        assert.equal(await flagsOf(said.eventId), 0, 'we took it')
        assert.equal((await stateOf(bob, roomId)).get(key), before.get(key))
        const { next } = await sync()
        const found = await doctor(roomId)
        assert.equal(found['verdict'], 'the state differs')
        assert.deepEqual(rulings(found), [[key, before.get(key), 'each of them is']])
        const would = found['before_our_join'] as JsonObject
        assert.deepEqual(
          (would['state_changes'] as JsonObject[]).map((one) => [
            one['state_key'],
            one['before'],
            one['after'],
          ]),
          [[mallory.userId, before.get(key), truth.get(key)]],
        )
        assert.deepEqual(
          (would['refused_now'] as JsonObject[]).map((one) => one['event_id']),
          [said.eventId],
        )
        assert.equal((await stateOf(bob, roomId)).get(key), before.get(key), 'it only looked')
        assert.equal(await flagsOf(said.eventId), 0, 'it only looked')
        const mended = await doctor(roomId, { repair: true })
        assert.equal((mended['before_our_join'] as JsonObject)['obstacle'], null)
        assert.equal(await flagsOf(said.eventId), EventFlag.rejected, JSON.stringify(mended, undefined, 1))
        const told = (await sync(next)).seen(roomId)
        assert.ok(
          told.some((event) => event['event_id'] === truth.get(key)),
          `clients are told: ${JSON.stringify(told)}`,
        )
        const rooms = await ours.hs.rooms.members.roomsOf(mallory.userId as UserId)
        assert.equal(rooms.byId.get(roomId as RoomId)?.membership, 'ban')
        await isMended(roomId)
      })

      it('finds a power level change in whose place an older one was told, and others write meanwhile', async () => {
        const roomId = await makeRoom()
        const levels = await ok(theirs, alice, 'GET', `${at(roomId)}/state/m.room.power_levels/`)
        const users = { ...(levels['users'] as JsonObject), [mallory.userId]: 50 }
        await send(alice, roomId, 'm.room.power_levels', { ...levels, users })
        const before = await stateOf(alice, roomId)
        await send(alice, roomId, 'm.room.power_levels', levels)
        await say(alice, roomId, 'as it was')
        await delivered()
        const truth = await stateOf(alice, roomId)
        const old = before.get('m.room.power_levels|')!
        await lieAbout(truth.get('m.room.power_levels|')!, old)
        await joinRoom(roomId)
        const topic = await forUsAlone(
          roomId,
          { type: 'm.room.topic', stateKey: '', content: { topic: 'mine' } },
          [old, before.get(`m.room.member|${mallory.userId}`)],
        )
        assert.equal((await stateOf(bob, roomId)).get('m.room.topic|'), topic.eventId)
        const { next } = await sync()
        const asked = Promise.withResolvers<void>()
        const goOn = Promise.withResolvers<void>()
        peers.play('third', async (request) => {
          if (request.path.includes('/backfill/')) {
            asked.resolve()
            await goOn.promise
          }
          return peers.pass(request)
        })
        const underWay = doctor(roomId, { repair: true, servers: 'third' })
        await Promise.race([
          asked.promise,
          underWay.then((found) => assert.fail(`nobody was asked: ${JSON.stringify(found)}`)),
        ])
        const { event_id: meanwhile } = await say(carol, roomId, 'said meanwhile')
        await say(bob, roomId, 'by us, too')
        await delivered()
        assert.notEqual(await findEvent(ours.hs.rooms, meanwhile as EventId), undefined)
        goOn.resolve()
        const mended = await underWay
        assert.deepEqual(rulings(mended), [['m.room.power_levels|', old, 'each of them is']])
        assert.equal(await flagsOf(topic.eventId), EventFlag.rejected, JSON.stringify(mended, undefined, 1))
        assert.equal(await flagsOf(meanwhile as EventId), 0)
        const told = (await sync(next)).seen(roomId)
        assert.ok(told.some((event) => event['event_id'] === truth.get('m.room.power_levels|')))
        assert.equal((await stateOf(bob, roomId)).get('m.room.topic|'), undefined)
        await isMended(roomId)
      })

      it('finds power levels that were left out altogether', async () => {
        const roomId = await makeRoom()
        const truth = await stateOf(alice, roomId)
        await lieAbout(truth.get('m.room.power_levels|')!, undefined)
        await joinRoom(roomId)
        assert.equal((await stateOf(bob, roomId)).get('m.room.power_levels|'), undefined)
        const seen = await doctor(roomId)
        assert.deepEqual(rulings(seen), [['m.room.power_levels|', null, 'we had nothing there,']])
        // Once the resident tells the truth, two say the same.
        peers.stopPlaying('theirs')
        const mended = await doctor(roomId, { repair: true })
        assert.deepEqual(rulings(mended), [['m.room.power_levels|', null, 'most of those asked']])
        await isMended(roomId)
      })

      it('takes nothing that one server makes up afterwards', async () => {
        const roomId = await makeRoom()
        const eve = await third.register(`eve${txn++}`)
        await ok(third, eve, 'POST', `/join/${segment(roomId)}?via=theirs`, {})
        const levels = await ok(theirs, alice, 'GET', `${at(roomId)}/state/m.room.power_levels/`)
        const users = { ...(levels['users'] as JsonObject), [eve.userId]: 50 }
        await send(alice, roomId, 'm.room.power_levels', { ...levels, users })
        const { event_id: prev } = await say(alice, roomId, 'before the ban')
        await delivered()
        const then = await stateOf(alice, roomId)
        await ok(theirs, alice, 'POST', `${at(roomId)}/ban`, { user_id: eve.userId })
        await delivered()
        await joinRoom(roomId)
        const truth = await stateOf(alice, roomId)
        const built = buildEvent(
          rules,
          {
            type: 'm.room.topic',
            stateKey: '',
            sender: eve.userId as UserId,
            content: { topic: 'hers' },
            roomId: roomId as RoomId,
            originServerTs: third.hs.clock.now() + 3_600_000,
            depth: 20,
            prevEventIds: [prev as EventId],
            authEventIds: [
              then.get('m.room.power_levels|')!,
              then.get(`m.room.member|${eve.userId}`)!,
            ] as EventId[],
          },
          { sha256 },
        )
        const pdu = signEvent(rules, built.pdu, third.hs.signer)
        peers.play('third', async (request) => {
          const { path } = request
          if (path.includes(`/event/${segment(built.eventId)}`))
            return { pdus: [structuredClone(pdu) as never] }
          const answer = await peers.pass(request)
          if (!path.includes('/state_ids/')) return answer
          return { ...answer, pdu_ids: [...(answer['pdu_ids'] as string[]), built.eventId] }
        })
        const found = await doctor(roomId, { servers: 'third', repair: true })
        assert.deepEqual(rulings(found), [['m.room.topic|', null, 'what others say can']])
        assert.deepEqual(await stateOf(bob, roomId), truth)
      })
    },
  )
}
