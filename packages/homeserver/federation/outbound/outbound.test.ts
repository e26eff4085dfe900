import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { hastyClock } from '../../appservice/test-appservice.ts'
import { sendEvent } from '../../rooms/send.ts'
import { interruptReads, type Interruption } from '../../test-held-database.ts'
import { findServerDrivers } from '../../test-server.ts'
import { roomPath, startStage, type Arrival, type OutboundStage } from './test-peers.ts'

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `m${from + index}`)

async function sayAll(stage: OutboundStage, roomId: string, texts: readonly string[]): Promise<void> {
  for (const text of texts) await stage.say(roomId, text)
}

/** Holds the first answers of a server back until it is let go. */
function holdBack(stage: OutboundStage): () => void {
  const gate = Promise.withResolvers<JsonObject>()
  stage.peers.answer = () => gate.promise
  return () => {
    stage.peers.answer = () => ({ pdus: {} })
    gate.resolve({ pdus: {} })
  }
}

const pdusOf = ({ body }: Arrival): JsonObject[] => (JSON.parse(body) as { pdus: JsonObject[] }).pdus

for (const driver of await findServerDrivers()) {
  describe(`${driver.name}: what other servers are sent`, { skip: driver.skip }, () => {
    it('is every event of ours, signed as stored, to each server that is joined, in order', async () => {
      await using stage = await startStage(driver)
      const roomId = await stage.makeRoom(['@b:b.example', '@c:c.example'])
      const elsewhere = await stage.makeRoom(['@c:c.example'])
      await stage.say(roomId, 'one')
      await stage.say(elsewhere, 'two')
      await stage.say(roomId, 'three')
      await stage.settled()
      const inRoom = (server: string, room: string): unknown[] =>
        stage.peers.pdus(server).flatMap(({ room_id: id, content }) => (id === room ? [content] : []))
      const texts = (...bodies: string[]): unknown[] => bodies.map((body) => ({ msgtype: 'm.text', body }))
      // In order by room: what is said in another one may come earlier or later.
      assert.deepEqual(inRoom('b.example', roomId), texts('one', 'three'))
      assert.deepEqual(stage.peers.texts('b.example'), ['one', 'three'])
      assert.deepEqual(inRoom('c.example', roomId), texts('one', 'three'))
      assert.deepEqual(inRoom('c.example', elsewhere), texts('two'))
      assert.deepEqual(stage.peers.texts('c.example').toSorted(), ['one', 'three', 'two'])
      assert.deepEqual(
        stage.peers.arrivals.filter(({ server }) => server === 'test.example'),
        [],
      )
      const [pdu] = stage.peers.pdus('b.example')
      assert.equal(pdu?.['room_id'], roomId)
      assert.ok((pdu!['signatures'] as JsonObject)['test.example'] !== undefined)
      assert.equal(pdu?.['unsigned'], undefined)
      const [{ body }] = stage.peers.arrivals as [Arrival]
      const transaction = JSON.parse(body) as JsonObject
      assert.equal(transaction['origin'], 'test.example')
      assert.equal(typeof transaction['origin_server_ts'], 'number')
    })

    it('is nothing of what came before a server joined, after it left, or that others sent', async () => {
      await using stage = await startStage(driver)
      const roomId = await stage.makeRoom()
      await stage.say(roomId, 'before')
      await stage.member(roomId, '@b:b.example', 'join')
      await stage.say(roomId, 'during')
      await stage.member(roomId, '@b2:b.example', 'join')
      await stage.member(roomId, '@b:b.example', 'leave')
      await stage.say(roomId, 'still')
      await stage.member(roomId, '@b2:b.example', 'leave')
      await stage.say(roomId, 'after')
      await stage.settled()
      assert.deepEqual(stage.peers.texts('b.example'), ['during', 'still'])
      assert.equal(stage.peers.pdus('b.example').length, 2)
    })

    it('comes in transactions of 50 events at most, in order, and the same again until it is answered', async () => {
      await using stage = await startStage(driver, { clock: hastyClock })
      const roomId = await stage.makeRoom(['@b:b.example'])
      const letGo = holdBack(stage)
      await sayAll(stage, roomId, numbers(0, 130))
      await stage.server.hs.outbound.reached(stage.server.hs.log.head())
      letGo()
      await stage.settled()
      assert.deepEqual(stage.peers.texts('b.example'), numbers(0, 130))
      const sizes = stage.peers.arrivals.map((arrival) => pdusOf(arrival).length)
      assert.ok(Math.max(...sizes) === 50 && sizes.length <= 5, sizes.join())
    })

    it('is also what comes while a transaction is made, before what waits is read and after', async () => {
      await using stage = await startStage(driver)
      const roomId = await stage.makeRoom(['@b:b.example'])
      await stage.settled()
      const { db, outbound, log } = stage.server.hs
      const say = (text: string) => async (): Promise<void> => {
        await stage.say(roomId, text)
        await outbound.reached(log.head())
      }
      const coming: Interruption[] = [
        { at: 'FROM outbound_rooms WHERE server_name', when: 'before', run: say('two') },
        { at: 'FROM outbound_events WHERE room_nid', when: 'after', run: say('three') },
      ]
      interruptReads(db, coming)
      await stage.say(roomId, 'one')
      await stage.settled()
      assert.deepEqual(coming, [])
      assert.deepEqual(stage.peers.texts('b.example'), ['one', 'two', 'three'])
    })

    it('is retried unchanged under its id, and events behind it wait', async () => {
      await using stage = await startStage(driver)
      const roomId = await stage.makeRoom(['@b:b.example'])
      stage.peers.answer = () => ({ kind: 'unreachable' })
      await stage.say(roomId, 'one')
      await stage.settled()
      await stage.say(roomId, 'two')
      await stage.settled()
      const { outbound } = stage.server.hs
      assert.equal(stage.peers.arrivals.length, 1)
      assert.equal(outbound.states()[0]?.phase, 'asleep')
      stage.peers.answer = () => ({ pdus: {} })
      outbound.heardFrom('b.example' as never)
      await stage.settled()
      const [first, second] = stage.peers.arrivals as [Arrival, Arrival]
      assert.deepEqual(second, first)
      assert.deepEqual(stage.peers.texts('b.example'), ['one', 'two'])
      assert.deepEqual(outbound.states(), [])
      assert.equal(outbound.figures.outcomes.get('unreachable'), 1)
      assert.equal(outbound.figures.outcomes.get('ok'), 2)
    })

    it('waits through a restart, the transaction under way too', async () => {
      await using stage = await startStage(driver)
      const roomId = await stage.makeRoom(['@b:b.example'])
      stage.peers.answer = () => ({ kind: 'unreachable' })
      await stage.say(roomId, 'one')
      await stage.settled()
      await stage.say(roomId, 'two')
      await stage.settled()
      stage.server = await stage.server.restart()
      await stage.settled()
      assert.deepEqual(stage.peers.arrivals[1], stage.peers.arrivals[0])
      stage.peers.answer = () => ({ pdus: {} })
      stage.server = await stage.server.restart()
      await stage.settled()
      assert.deepEqual(stage.peers.texts('b.example'), ['one', 'two'])
    })

    it('is the newest only, per room, for a server that was away for long', async () => {
      await using stage = await startStage(driver)
      const busy = await stage.makeRoom(['@b:b.example'])
      const quiet = await stage.makeRoom(['@b:b.example'])
      stage.peers.answer = () => ({ kind: 'unreachable' })
      await stage.say(quiet, 'first')
      await stage.settled()
      await sayAll(stage, busy, numbers(0, 70))
      await sayAll(stage, quiet, ['q1', 'q2'])
      await stage.settled()
      stage.peers.answer = () => ({ pdus: {} })
      stage.server.hs.outbound.heardFrom('b.example' as never)
      await stage.settled()
      // What was fixed goes first. The rest is in the order of the log.
      assert.deepEqual(stage.peers.texts('b.example'), ['first', 'm69', 'q1', 'q2'])
      await stage.say(busy, 'm70')
      await stage.settled()
      assert.deepEqual(stage.peers.texts('b.example').slice(4), ['m70'])
    })

    it('leaves out servers that the ACL of the room denies, from the event after it on', async () => {
      await using stage = await startStage(driver)
      const roomId = await stage.makeRoom(['@b:b.example', '@c:evil.example'])
      await stage.say(roomId, 'one')
      await stage.call(stage.alice, 'PUT', `${roomPath(roomId)}/state/m.room.server_acl`, {
        allow: ['*'],
        deny: ['evil.*'],
      })
      await stage.say(roomId, 'two')
      await stage.settled()
      assert.deepEqual(stage.peers.texts('b.example'), ['one', 'two'])
      assert.deepEqual(stage.peers.texts('evil.example'), ['one'])
      assert.deepEqual(
        stage.peers.pdus('evil.example').map(({ type }) => type),
        ['m.room.message', 'm.room.server_acl'],
      )
    })

    it('tells a server that its user was put out or is invited no more, even where it is not in the room', async () => {
      await using stage = await startStage(driver)
      const roomId = await stage.makeRoom(['@b:b.example', '@c:c.example'])
      const { call, alice } = stage
      await call(alice, 'POST', `${roomPath(roomId)}/kick`, { user_id: '@b:b.example', reason: 'r' })
      // Invitations themselves go another way.
      await sendEvent(stage.server.hs.rooms, {
        roomId,
        type: 'm.room.member',
        sender: alice.userId as UserId,
        stateKey: '@d:d.example',
        content: { membership: 'invite' },
      })
      await call(alice, 'POST', `${roomPath(roomId)}/kick`, { user_id: '@d:d.example' })
      await call(alice, 'POST', `${roomPath(roomId)}/ban`, { user_id: '@e:e.example' })
      await stage.say(roomId, 'after')
      await stage.settled()
      const memberships = (server: string): unknown[] =>
        stage.peers
          .pdus(server)
          .map(({ content, state_key: key }) => [key, (content as JsonObject)['membership']])
      assert.deepEqual(memberships('b.example'), [['@b:b.example', 'leave']])
      assert.deepEqual(memberships('d.example'), [['@d:d.example', 'leave']])
      assert.deepEqual(memberships('e.example'), [['@e:e.example', 'ban']])
      assert.equal(stage.peers.pdus('c.example').length, 5)
    })

    it('goes to the others while one of them hangs', async () => {
      await using stage = await startStage(driver)
      const names = Array.from({ length: 40 }, (_, index) => `s${index}.example`)
      const roomId = await stage.makeRoom(names.map((name) => `@u:${name}`))
      const gate = Promise.withResolvers<JsonObject>()
      stage.peers.answer = ({ server }) => (server === 's7.example' ? gate.promise : { pdus: {} })
      await sayAll(stage, roomId, ['one', 'two', 'three'])
      const others = names.filter((name) => name !== 's7.example')
      await stage.peers.until(() => others.every((name) => stage.peers.texts(name).length === 3))
      assert.equal(stage.peers.arrivals.filter(({ server }) => server === 's7.example').length, 1)
      gate.resolve({ pdus: {} })
      await stage.settled()
      for (const name of names) assert.deepEqual(stage.peers.texts(name), ['one', 'two', 'three'])
    })

    it('counts what was refused, and gives up what a server calls wrong again and again', async () => {
      await using stage = await startStage(driver)
      const roomId = await stage.makeRoom(['@b:b.example'])
      stage.peers.answer = ({ body }) => {
        const [pdu] = (JSON.parse(body) as { pdus: JsonObject[] }).pdus
        return { pdus: { [`$${String(pdu?.['depth'] as number)}`]: { error: 'no' } } }
      }
      await stage.say(roomId, 'refused')
      await stage.settled()
      const { outbound } = stage.server.hs
      assert.equal(outbound.figures.counts.refused, 1)
      const wrong = {
        kind: 'refused',
        status: 400,
        errcode: 'M_BAD_JSON',
        error: '',
        body: undefined,
      } as const
      stage.peers.answer = () => wrong
      await stage.say(roomId, 'wrong')
      for (let attempt = 0; attempt < 8; attempt++) {
        await stage.settled()
        if (attempt === 6) await stage.say(roomId, 'right')
        outbound.heardFrom('b.example' as never)
      }
      stage.peers.answer = () => ({ pdus: {} })
      outbound.heardFrom('b.example' as never)
      await stage.settled()
      assert.equal(outbound.figures.outcomes.get('given_up'), 1)
      assert.deepEqual(stage.peers.texts('b.example'), ['refused', 'right'])
    })

    it('is sent redacted where it was redacted before it left', async () => {
      await using stage = await startStage(driver)
      const roomId = await stage.makeRoom(['@b:b.example'])
      stage.peers.answer = () => ({ kind: 'unreachable' })
      await stage.say(roomId, 'first')
      await stage.settled()
      const secret = await stage.say(roomId, 'secret')
      await stage.call(stage.alice, 'PUT', `${roomPath(roomId)}/redact/${encodeURIComponent(secret)}/r1`, {})
      await stage.settled()
      stage.peers.answer = () => ({ pdus: {} })
      stage.server.hs.outbound.heardFrom('b.example' as never)
      await stage.settled()
      assert.deepEqual(stage.peers.texts('b.example'), ['first'])
      assert.deepEqual(
        stage.peers.pdus('b.example').map(({ type }) => type),
        ['m.room.message', 'm.room.message', 'm.room.redaction'],
      )
    })
  })
}
