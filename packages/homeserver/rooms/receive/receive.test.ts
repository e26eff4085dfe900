import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { SUPPORTED_ROOM_VERSIONS } from '@causeway/matrix/room-versions/rules.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { listInboundPdus } from '@causeway/store/tables/inbound-pdus.ts'
import { listRoomServers } from '@causeway/store/tables/room-servers.ts'
import { changeMembership } from '../membership.ts'
import type { RoomPeers } from '../peers/room-peers.ts'
import { findEvent } from '../read-events.ts'
import { sendEvent } from '../send.ts'
import type { RoomInfo } from '../stored-event.ts'
import { createReceiveFigures } from './figures.ts'
import { createInbox } from './inbox.ts'
import { placeEvents } from './place-events.ts'
import { receiveBatch } from './receive-batch.ts'
import { receivePdus, type PduResults } from './receive-pdus.ts'
import { FarBranch, FarServer } from './test-far-server.ts'
import { alice, assertTaken, far, openRoom, openScene } from './test-scene.ts'
import { verifyPdus, type VerifiedPdu } from './verify-pdus.ts'

/** An answer that does not come. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  )
}

for (const driver of await findTestDrivers()) {
  describe(`receiving events on ${driver.name}`, { skip: driver.skip }, () => {
    it('in every room version a far user joins, speaks, and is in the room with their server', async () => {
      for (const version of SUPPORTED_ROOM_VERSIONS) {
        await using scene = await openScene(driver, version)
        const { engine, room, server, bob } = scene
        const branch = await server.branchAt(engine, room)
        const events = [branch.member(bob, bob, 'join'), branch.say(bob, 'one'), branch.say(bob, 'two')]
        assertTaken(await scene.receive(...events))
        assert.deepEqual(await scene.bodies(), ['one', 'two'], `version ${version}`)
        const rows = await listRoomServers(engine.db, room.roomNid)
        assert.deepEqual(
          rows.map(({ server_name: name, joined, until_nid: until }) => [name, joined, until]),
          [[far, 1, 0]],
        )
        assert.equal((await engine.members.roomsOf(bob)).byId.get(room.roomId)?.membership, 'join')
        assert.deepEqual(await scene.extremities(), [events[2]!.eventId])
        assertTaken(await scene.receive(branch.member(bob, bob, 'leave')))
        assert.equal((await listRoomServers(engine.db, room.roomNid))[0]!.joined, 0)
      }
    })

    it('the same events again change nothing, however they are ordered', async () => {
      await using scene = await openScene(driver)
      const branch = await scene.server.branchAt(scene.engine, scene.room)
      const events = [branch.member(scene.bob, scene.bob, 'join'), branch.say(scene.bob, 'hi')]
      assertTaken(await scene.receive(...events.toReversed()))
      assertTaken(await scene.receive(...events, ...events))
      assert.deepEqual(await scene.bodies(), ['hi'])
    })

    it('branches that wrote different state meet in the state of the room version, and our next event joins them', async () => {
      await using scene = await openScene(driver, '11')
      const { engine, room, server, bob } = scene
      const base = await server.branchAt(engine, room)
      assertTaken(await scene.receive(base.member(bob, bob, 'join')))
      const branch = base.fork()
      await sendEvent(engine, {
        roomId: room.roomId,
        type: 'm.room.topic',
        sender: alice,
        stateKey: '',
        content: { topic: 'ours' },
      })
      const theirs = branch.send({
        type: 'm.room.name',
        sender: bob,
        stateKey: '',
        content: { name: 'theirs' },
      })
      assertTaken(await scene.receive(theirs))
      assert.deepEqual(await scene.stateNow('m.room.topic'), { topic: 'ours' })
      assert.deepEqual(await scene.stateNow('m.room.name'), { name: 'theirs' })
      assert.equal((await scene.extremities()).length, 2)
      const merged = await scene.say('both')
      assert.deepEqual(await scene.extremities(), [merged])
      assert.deepEqual(await scene.stateNow('m.room.name'), { name: 'theirs' })
    })

    it('a ban on one branch beats what the banned said on another, which is kept out of sight', async () => {
      await using scene = await openScene(driver)
      const { engine, room, server, bob } = scene
      const eve = server.user('eve')
      const base = await server.branchAt(engine, room)
      assertTaken(await scene.receive(base.member(bob, bob, 'join'), base.member(eve, eve, 'join')))
      const old = base.fork()
      await changeMembership(engine, { roomId: room.roomId, action: 'ban', sender: alice, target: eve })
      const late = old.say(eve, 'spam')
      assertTaken(await scene.receive(late))
      assert.deepEqual(await scene.bodies(), [])
      const held = await findEvent(engine, late.eventId)
      assert.equal(held!.flags & EventFlag.softFailed, EventFlag.softFailed)
      const after = old.fork()
      assertTaken(await scene.receive(after.say(bob, 'what came after it is heard')))
      assert.deepEqual(await scene.bodies(), ['what came after it is heard'])
      assert.equal((await engine.members.roomsOf(eve)).byId.get(room.roomId)?.membership, 'ban')
    })

    it('a stranger, a forger and a thief of identity are refused, and their neighbors are not', async () => {
      await using scene = await openScene(driver)
      const { engine, room, server, bob } = scene
      const branch = await server.branchAt(engine, room)
      const join = branch.member(bob, bob, 'join')
      const stranger = branch.fork().say(server.user('nobody'), 'let me in')
      const forged = branch.fork().say(bob, 'true words')
      forged.pdu.content = { body: 'changed', msgtype: 'm.text' }
      const stolen = branch.fork().say(alice, 'I am Alice')
      const good = branch.say(bob, 'fine')
      const results = await scene.receive(join, stranger, forged, stolen, good)
      assert.match(results.get(stranger.eventId)!.error!, /not in this room/)
      assert.equal(results.get(good.eventId)!.error, undefined)
      assert.deepEqual(await scene.bodies(), [undefined, 'fine'], 'a wrong content hash redacts the event')
      assert.equal(await findEvent(engine, stolen.eventId), undefined)
    })

    it('however often a room forks, it ends in few branches, and their state is resolved', async () => {
      await using scene = await openScene(driver)
      const { server, bob } = scene
      const base = await server.branchAt(scene.engine, scene.room)
      assertTaken(await scene.receive(base.member(bob, bob, 'join')))
      const branches = Array.from({ length: 45 }, () => base.fork())
      const events = branches.map((branch, n) =>
        n % 3 === 0
          ? branch.send({ type: 'm.room.topic', sender: bob, stateKey: '', content: { topic: `${n}` } })
          : branch.say(bob, `branch ${n}`),
      )
      assertTaken(await scene.receive(...events))
      assert.ok((await scene.extremities()).length < 10)
      await scene.say('and on')
      assert.equal((await scene.bodies()).length, 31)
      assert.match(JSON.stringify(await scene.stateNow('m.room.topic')), /"topic":"\d+"/)
      assert.ok((await scene.extremities()).length < 10)
    })

    it('what lies between is asked for, and comes before what was sent', async () => {
      await using scene = await openScene(driver)
      const { server, bob } = scene
      const branch = await server.branchAt(scene.engine, scene.room)
      assertTaken(await scene.receive(branch.member(bob, bob, 'join')))
      for (let n = 0; n < 30; n++) branch.say(bob, `missed ${n}`)
      assertTaken(await scene.receive(branch.say(bob, 'last')))
      await scene.inbox.idle()
      const expected = [...Array.from({ length: 30 }, (_, n) => `missed ${n}`), 'last']
      assert.deepEqual(await scene.bodies(), expected)
    })

    it('however many wait already, what is before them is asked for, though answers hold few events', async () => {
      await using scene = await openScene(driver)
      const { server, bob } = scene
      const branch = await server.branchAt(scene.engine, scene.room)
      assertTaken(await scene.receive(branch.member(bob, bob, 'join')))
      const said = Array.from({ length: 30 }, (_, n) => branch.say(bob, `line ${n}`))
      server.mostMissing = 5
      assertTaken(await scene.receive(...said.slice(12)))
      await scene.inbox.idle()
      assert.deepEqual(
        await scene.bodies(),
        said.map(({ pdu }) => pdu.content['body']),
      )
    })

    it('a server that lets everybody wait, in however many rooms, takes no place from the rooms of others', async () => {
      await using scene = await openScene(driver)
      const { engine, server, bob, room } = scene
      const slow = 'slow.example' as ServerName
      const getMissingEvents: RoomPeers['getMissingEvents'] = (name, roomId, gap, signal) =>
        name === slow ? untilAborted(signal!) : scene.deps.peers.getMissingEvents(name, roomId, gap, signal)
      const deps = { ...scene.deps, peers: { ...scene.deps.peers, getMissingEvents } }
      await using inbox = createInbox(deps, async () => [slow, server.name])
      const sendWithGap = async (origin: ServerName, { roomId, ...of }: RoomInfo): Promise<void> => {
        const branch = await server.branchAt(engine, { roomId, ...of })
        const join = branch.member(bob, bob, 'join')
        branch.say(bob, 'missed')
        const pdus = [join, branch.say(bob, 'last')].map(({ pdu }) => structuredClone(pdu))
        assertTaken(await receivePdus({ ...deps, inbox }, origin, roomId, pdus))
      }
      for (let n = 0; n < 22; n++) await sendWithGap(slow, await openRoom(engine, server))
      await sendWithGap(server.name, room)
      await inbox.settled(room.roomId)
      assert.deepEqual(await scene.bodies(), ['missed', 'last'])
      assert.equal(inbox.active(), 5)
    })

    it('a long branch that is held does not hide the many short ones beside it that are not', async () => {
      await using scene = await openScene(driver)
      const { engine, room, server, bob } = scene
      const base = await server.branchAt(engine, room)
      assertTaken(await scene.receive(base.member(bob, bob, 'join')))
      const long = base.fork()
      for (let n = 0; n < 30; n++) assertTaken(await scene.receive(long.say(bob, `held ${n}`)))
      // Ours is the end of the room: the far server does not know from its name what is behind it.
      await scene.say('ours')
      server.mostMissing = 10
      server.deepestFirst = true
      const short = Array.from({ length: 8 }, (_, n) => base.fork().say(bob, `short ${n}`))
      const join = (prev: readonly RoomEvent[], body: string): RoomEvent =>
        long.send({
          type: 'm.room.message',
          sender: bob,
          content: { body },
          prev: prev.map(({ eventId }) => eventId),
        })
      const first = join([...long.ends, ...short.slice(0, 4)], 'joins four')
      const second = join([first, ...short.slice(4)], 'joins all')
      assertTaken(await scene.receive(first, second))
      await scene.inbox.idle()
      const bodies = (await scene.bodies()).slice(31)
      assert.equal(bodies.at(-1), 'joins all')
      const expected = [...short, first, second].map(({ pdu }) => pdu.content['body'])
      assert.equal(bodies.length, expected.length)
      assert.deepEqual(new Set(bodies), new Set(expected))
    })

    it('what brings a waiting event nearer to its place is gone on with at once, though not for ever', async () => {
      await using scene = await openScene(driver)
      const { engine, room, server, bob } = scene
      const base = await server.branchAt(engine, room)
      assertTaken(await scene.receive(base.member(bob, bob, 'join')))
      server.mostMissing = 1
      const joinOf = (count: number): RoomEvent => {
        const ends = Array.from({ length: count }, (_, n) => base.fork().say(bob, `${n} of ${count}`))
        const prev = ends.map(({ eventId }) => eventId)
        return base.fork().send({ type: 'm.room.message', sender: bob, content: { body: 'joins' }, prev })
      }
      const near = joinOf(4)
      assertTaken(await scene.receive(near))
      await scene.inbox.idle()
      assert.notEqual(await findEvent(engine, near.eventId), undefined)
      // Each answer is a step forward, and yet it is an attempt in the end: others of the room wait for their turn.
      const distant = joinOf(20)
      assertTaken(await scene.receive(distant))
      await scene.inbox.idle()
      const rows = await listInboundPdus(engine.db, room.roomId, 10)
      assert.deepEqual(
        rows.map((row) => [row.event_id, row.attempts]),
        [[distant.eventId, 1]],
      )
    })

    it('what else arrives in a room uses up no attempts of an event that waits', async () => {
      await using scene = await openScene(driver)
      const { engine, room, server, bob } = scene
      const base = await server.branchAt(engine, room)
      assertTaken(await scene.receive(base.member(bob, bob, 'join')))
      const waiting: RoomEvent[] = []
      for (let n = 0; n < 8; n++) {
        const branch = base.fork()
        server.withheld.add(branch.say(bob, `kept back ${n}`).eventId)
        waiting.push(branch.say(bob, `waits ${n}`))
        assertTaken(await scene.receive(waiting.at(-1)!))
        await scene.inbox.idle()
      }
      assert.equal(server.asked.filter((what) => what === 'get_missing_events').length, 8)
      const rows = await listInboundPdus(engine.db, room.roomId, 100)
      assert.deepEqual(
        new Map(rows.map((row) => [row.event_id, row.attempts])),
        new Map(waiting.map(({ eventId }) => [eventId, 1])),
      )
    })

    it('a gap that nobody fills is accepted with the state that others tell, as far as it stands up by itself', async () => {
      await using scene = await openScene(driver)
      const { engine, room, server, bob } = scene
      const branch = await server.branchAt(engine, room)
      const carol = server.user('carol')
      assertTaken(await scene.receive(branch.member(bob, bob, 'join')))
      server.withheld.add(branch.say(bob, 'lost').eventId)
      const join = branch.member(carol, carol, 'join')
      branch.say(bob, 'asked for')
      const seen = branch.say(carol, 'carol is in the room')
      assertTaken(await scene.receive(seen))
      await scene.inbox.idle()
      assert.deepEqual(await scene.bodies(), ['asked for', 'carol is in the room'])
      assert.equal((await findEvent(engine, join.eventId))!.flags & EventFlag.gapBefore, EventFlag.gapBefore)
      assert.equal((await engine.members.roomsOf(carol)).byId.get(room.roomId)?.membership, 'join')
      assert.ok(server.asked.includes('state_ids'))
    })

    for (const [title, isAwaited] of [
      ['an event whose keys cannot be had at the moment is waited for: it becomes no gap', true],
      ['an event whose keys nobody can have becomes a gap', false],
    ] as const) {
      it(title, async () => {
        await using scene = await openScene(driver)
        const { room, server, bob } = scene
        const branch = await server.branchAt(scene.engine, room)
        assertTaken(await scene.receive(branch.member(bob, bob, 'join')))
        const third = new FarServer('third.example', { name: '', keyId: '', publicKey: '' })
        const dave = third.user('dave')
        const elsewhere = new FarBranch(third, room, branch.state, branch.ends)
        const join = elsewhere.member(dave, dave, 'join')
        server.hold(join, branch.state)
        branch.ends = elsewhere.ends
        branch.say(bob, 'asked for')
        if (isAwaited) server.awaited.add(third.name)
        assertTaken(await scene.receive(branch.say(bob, 'sent')))
        await scene.inbox.idle()
        assert.deepEqual(await scene.bodies(), isAwaited ? [] : ['asked for', 'sent'])
        server.others.add(third)
        server.awaited.clear()
        assertTaken(await scene.receive(branch.say(bob, 'sent later')))
        await scene.inbox.idle()
        assert.deepEqual(await scene.bodies(), ['asked for', 'sent', 'sent later'])
        const isIn = (await scene.engine.members.roomsOf(dave)).byId.get(room.roomId)?.membership === 'join'
        assert.equal(isIn, isAwaited)
      })
    }

    it('what somebody kept back until they were banned is not shown, although it closes a gap', async () => {
      await using scene = await openScene(driver)
      const { engine, room, server, bob } = scene
      const branch = await server.branchAt(engine, room)
      assertTaken(await scene.receive(branch.member(bob, bob, 'join')))
      const kept = [branch.say(bob, 'kept back'), branch.say(bob, 'kept back, too')]
      for (const { eventId } of kept) server.withheld.add(eventId)
      branch.say(bob, 'shown')
      assertTaken(await scene.receive(branch.say(bob, 'last')))
      await scene.inbox.idle()
      assert.deepEqual(await scene.bodies(), ['shown', 'last'])
      await changeMembership(engine, { roomId: room.roomId, action: 'ban', sender: alice, target: bob })
      server.withheld.clear()
      await scene.receive(...kept)
      await scene.inbox.idle()
      assert.deepEqual(await scene.bodies(), ['shown', 'last'])
      for (const { eventId } of kept)
        assert.equal((await findEvent(engine, eventId))!.flags & EventFlag.softFailed, EventFlag.softFailed)
    })

    it('whoever sends an event has to show what it points at: a gap just before it is not taken on their word', async () => {
      await using scene = await openScene(driver)
      const { server, bob } = scene
      const branch = await server.branchAt(scene.engine, scene.room)
      assertTaken(await scene.receive(branch.member(bob, bob, 'join')))
      server.withheld.add(branch.say(bob, 'never shown').eventId)
      assertTaken(await scene.receive(branch.say(bob, 'out of nowhere')))
      await scene.inbox.idle()
      assert.deepEqual(await scene.bodies(), [])
      assert.ok(server.asked.includes('get_missing_events') && !server.asked.includes('state_ids'))
    })

    it('an event whose state key is too long is refused and kept, and what points at it has its place', async () => {
      await using scene = await openScene(driver)
      const { engine, server, bob } = scene
      const branch = await server.branchAt(engine, scene.room)
      assertTaken(await scene.receive(branch.member(bob, bob, 'join')))
      const long = server.resign(scene.room, branch.send({ type: 'my.event', sender: bob, stateKey: 'x' }), {
        state_key: '😀'.repeat(64),
      })
      branch.ends = [long]
      const results = await scene.receive(long, branch.say(bob, 'after it'))
      assert.match(results.get(long.eventId)!.error!, /state key has more than 255 bytes/)
      assert.deepEqual(await scene.bodies(), ['after it'])
      const held = await findEvent(engine, long.eventId)
      assert.equal(held!.flags & EventFlag.rejected, EventFlag.rejected)
    })

    it('a redaction takes effect whether it comes after its target or before it', async () => {
      await using scene = await openScene(driver)
      const { server, bob } = scene
      const branch = await server.branchAt(scene.engine, scene.room)
      assertTaken(await scene.receive(branch.member(bob, bob, 'join')))
      const first = branch.say(bob, 'bad')
      const remove = branch.send({ type: 'm.room.redaction', sender: bob, redacts: first.eventId })
      assertTaken(await scene.receive(first, remove))
      assert.deepEqual(await scene.bodies(), [undefined])
      const side = branch.fork()
      const target = side.say(bob, 'bad as well')
      assertTaken(
        await scene.receive(branch.send({ type: 'm.room.redaction', sender: bob, redacts: target.eventId })),
      )
      assertTaken(await scene.receive(target))
      assert.deepEqual(await scene.bodies(), [undefined, undefined])
    })

    it('a redaction takes effect also while its target is on its way to the disk, or it itself is', async () => {
      await using scene = await openScene(driver)
      const { engine, room, server, bob } = scene
      const branch = await server.branchAt(engine, room)
      assertTaken(await scene.receive(branch.member(bob, bob, 'join')))
      const pairs = Array.from({ length: 3 }, (_, n) => {
        const target = branch.fork().say(bob, `bad ${n}`)
        return [
          target,
          branch.fork().send({ type: 'm.room.redaction', sender: bob, redacts: target.eventId }),
        ]
      })
      const [inOrder, turned, atOnce] = pairs as [RoomEvent[], RoomEvent[], RoomEvent[]]
      const take = async (events: readonly RoomEvent[]): Promise<void> => {
        const pdus = events.map(({ pdu }) => structuredClone(pdu))
        const verified = await verifyPdus(server.peers, room, pdus)
        const valid = verified.flatMap((verdict) => (verdict.ok ? [verdict.pdu] : []))
        const taken = await receiveBatch(engine, room.roomId, valid)
        assert.deepEqual(
          [...taken.values()],
          events.map(() => ({ outcome: 'accepted' })),
        )
      }
      for (const order of [inOrder, turned.toReversed()])
        await Promise.all(order.map((event) => take([event])))
      await take(atOnce.toReversed())
      assert.deepEqual(await scene.bodies(), [undefined, undefined, undefined])
    })

    it('a fault of ours while events are placed loses none of them: they are kept, and placed later', async () => {
      await using scene = await openScene(driver)
      const { engine, room, server, bob, deps, inbox } = scene
      const branch = await server.branchAt(engine, room)
      assertTaken(await scene.receive(branch.member(bob, bob, 'join')))
      const queue = { ...engine.queue, serial: () => Promise.reject(new Error('planted')) }
      const failing = { ...deps, engine: { ...engine, queue }, inbox }
      const { pdu } = branch.say(bob, 'acknowledged')
      assertTaken(await receivePdus(failing, server.name, room.roomId, [structuredClone(pdu)]))
      await inbox.idle()
      assert.deepEqual(await scene.bodies(), ['acknowledged'])
    })

    it('an event that we cannot cope with holds up itself alone', async () => {
      await using scene = await openScene(driver)
      const { engine, room, server, bob, deps } = scene
      const branch = await server.branchAt(engine, room)
      assertTaken(await scene.receive(branch.member(bob, bob, 'join')))
      const [before, poison, after] = ['before', 'poison', 'after'].map((body) =>
        branch.fork().say(bob, body),
      )
      const verified = await verifyPdus(
        server.peers,
        room,
        [before, poison, after].map((event) => structuredClone(event!.pdu)),
      )
      const pdus = verified.flatMap((verdict): VerifiedPdu[] => {
        if (!verdict.ok) return []
        const { event, json } = verdict.pdu
        const planted = (): Uint8Array => {
          if (event.eventId === poison!.eventId) throw new Error('planted')
          return json
        }
        return [Object.defineProperty({ event, json }, 'json', { get: planted })]
      })
      const results = await placeEvents(deps, room.roomId, pdus)
      assert.deepEqual(results.get(poison!.eventId), { outcome: 'waiting', prevs: [], auths: [] })
      assert.deepEqual(new Set(await scene.bodies()), new Set(['after', 'before']))
    })

    it('an event that comes again while it is being stored is acknowledged when it is durable, even if that write fails', async () => {
      await using scene = await openScene(driver)
      const { engine, room, server, bob, deps, inbox } = scene
      const branch = await server.branchAt(engine, room)
      assertTaken(await scene.receive(branch.member(bob, bob, 'join')))
      const { eventId, pdu } = branch.say(bob, 'comes twice')
      const [first, second, fails] = [
        Promise.withResolvers<void>(),
        Promise.withResolvers<void>(),
        Promise.withResolvers<never>(),
      ]
      let writes = 0
      const append: typeof engine.log.append = (write) => {
        if (++writes === 1) {
          first.resolve()
          return fails.promise
        }
        second.resolve()
        return engine.log.append(write)
      }
      const planted = { ...engine, log: { ...engine.log, append } }
      const receive = (): Promise<PduResults> =>
        receivePdus({ ...deps, engine: planted, inbox }, server.name, room.roomId, [structuredClone(pdu)])
      const once = receive()
      await first.promise
      const again = receive()
      await Promise.race([second.promise, again])
      fails.reject(new Error('planted'))
      assertTaken(await again)
      assert.ok((await findEvent(engine, eventId)) !== undefined)
      assertTaken(await once)
      await inbox.idle()
      assert.deepEqual(await scene.bodies(), ['comes twice'])
    })

    it('waiting events survive a stop, and are placed after the next start', async () => {
      await using scene = await openScene(driver)
      const { engine, server, bob, room } = scene
      const branch = await server.branchAt(engine, room)
      assertTaken(await scene.receive(branch.member(bob, bob, 'join')))
      branch.say(bob, 'between')
      await scene.inbox[Symbol.asyncDispose]()
      assertTaken(await scene.receive(branch.say(bob, 'after')))
      assert.deepEqual(await scene.bodies(), [])
      const logger = { info: () => undefined, warn: () => undefined }
      const figures = createReceiveFigures()
      const deps = { engine, peers: server.peers, clock: systemClock, logger, figures }
      await using again = createInbox(deps, async () => [])
      await again.start()
      await again.idle()
      assert.deepEqual(await scene.bodies(), ['between', 'after'])
    })
  })
}
