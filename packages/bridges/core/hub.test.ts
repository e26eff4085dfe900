import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { openDatabase } from '@causeway/store/db/open.ts'
import type { DatabaseConfig } from '@causeway/store/db/open.ts'
import { leapingClock, type LeapingClock } from '@causeway/testkit/leaping-clock.ts'
import { sharedPostgres } from '@causeway/testkit/postgres.ts'
import { FakeNetwork } from '../conformance/fake-network.ts'
import type { FakeNetworkOptions } from '../conformance/fake-network.ts'
import { MemoryHomeserver } from '../conformance/memory-homeserver.ts'
import { createMortality, mortal, mortalDatabase, mortalNetwork } from '../conformance/mortal.ts'
import type { Mortality } from '../conformance/mortal.ts'
import { createGhostIds } from './ghost-ids.ts'
import { startHub } from './hub.ts'
import type { Hub } from './hub.ts'
import type { HubLog, HubSettings } from './hub-context.ts'
import type { MatrixPort } from './matrix-port.ts'

const ROOM = '!room:example.org'
const ALICE = '@alice:example.org'
const DAY = 86_400_000
/** Longer than any machine takes for what has to be told of at once; then the clock is set ahead. */
const GATHER_MS = 60_000

const settings: HubSettings = {
  ...{ mediaLinkMs: DAY, lateAfterMs: DAY, expiresAfterMs: DAY, rememberMs: DAY, consentMs: DAY },
  gatherTroubleMs: GATHER_MS,
  ...{ botName: 'Bridge', sealKey: new Uint8Array(32) },
}
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

interface Stage extends AsyncDisposable {
  readonly clock: LeapingClock
  readonly db: Database
  readonly homeserver: MemoryHomeserver
  readonly network: FakeNetwork
  /** Starts a hub on it; with a mortality, one that can end at any moment. */
  start(
    death?: { mortality: Mortality; commit: number; when: 'before' | 'after' },
    more?: { log?: HubLog; port?: MatrixPort },
  ): Promise<Hub>
}

async function setTheStage(
  options: FakeNetworkOptions = {},
  database: DatabaseConfig = { kind: 'sqlite', path: ':memory:' },
): Promise<Stage> {
  const signer = { serverName: 'example.org', keyId: 'ed25519:1', privateKey: new Uint8Array(32) }
  const clock = leapingClock()
  const db = await openDatabase(database, { clock, random: systemRandom, signer })
  const homeserver = new MemoryHomeserver(ROOM, [ALICE, '@carol:example.org'], () => clock.now())
  const network = new FakeNetwork(options)
  network.enter('#c', 'Bob')
  const ghostIds = createGhostIds('_x_', 'example.org')
  const deps = { ghostIds, settings, clock, random: systemRandom, log: silent }
  return {
    clock,
    db,
    homeserver,
    network,
    start: (death, { log = silent, port = homeserver.port() } = {}) => {
      if (death === undefined) return startHub({ ...deps, log, db, port, networks: [network.attach()] })
      const { mortality, commit, when } = death
      return startHub({
        ...{ ...deps, db: mortalDatabase(db, mortality, commit, when) },
        port: mortal(homeserver.port(), mortality),
        networks: [mortalNetwork(network.attach(), mortality)],
      })
    },
    [Symbol.asyncDispose]: () => db[Symbol.asyncDispose](),
  }
}

/** Lets everything happen that has a cause: pushes, lanes, deliveries, and what these give rise to. */
async function settle(hub: Hub, { homeserver }: Stage): Promise<void> {
  for (let round = 0; round < 6; round++) {
    await homeserver.push((txnId, events) => hub.handleTransaction(txnId, events))
    await hub.settle()
  }
}

/** Waits until people were told of everything that did not get through, and returns what they were told. */
async function warnings(stage: Stage): Promise<string[]> {
  const waiting = "SELECT COUNT(*) AS n FROM bridge_outbox WHERE kind = 'trouble'"
  for (let tries = 0; (await stage.db.query<{ n: number }>(waiting, []))[0]!.n > 0; tries++) {
    assert.ok(tries < 4500, 'nobody was told')
    stage.clock.leap(GATHER_MS)
    await systemClock.sleep(20)
  }
  return stage.homeserver.botNotices().filter((body) => body.startsWith('⚠'))
}

async function linked(
  stage: Stage,
  more = '',
  parts: { log?: HubLog; port?: MatrixPort } = {},
): Promise<Hub> {
  const hub = await stage.start(undefined, parts)
  stage.homeserver.say(ROOM, ALICE, `!fake link local #c ${more}`)
  await settle(hub, stage)
  return hub
}

describe('a hub', () => {
  test('carries messages both ways, once and in order, and its own words never back', async () => {
    await using stage = await setTheStage()
    const { homeserver, network } = stage
    const hub = await linked(stage)
    for (let n = 0; n < 20; n++) {
      homeserver.say(ROOM, ALICE, `from matrix ${n}`)
      network.say('#c', 'Bob', `from afar ${n}`)
    }
    await settle(hub, stage)
    const expected = Array.from({ length: 20 }, (_, n) => `<alice> from matrix ${n}`)
    assert.deepEqual(
      network.texts('#c').filter((text) => text.includes('from matrix')),
      expected,
    )
    assert.deepEqual(
      homeserver.ghostBodies(),
      Array.from({ length: 20 }, (_, n) => `from afar ${n}`),
    )
    assert.ok(!network.texts('#c').some((text) => text.includes('> from afar')))
    await hub.stop()
  })

  test('has no effect when a transaction, or an event in another one, comes again', async () => {
    await using stage = await setTheStage()
    const hub = await linked(stage)
    const eventId = stage.homeserver.say(ROOM, ALICE, 'once')
    const event = stage.homeserver.events.find((one) => one.event_id === eventId)
    for (const txnId of ['t1', 't1', 't2']) {
      await hub.handleTransaction(txnId, [event])
      await hub.settle()
    }
    assert.equal(stage.network.texts('#c').filter((text) => text === '<alice> once').length, 1)
    await hub.stop()
  })

  test('takes anything for a transaction without failing', async () => {
    await using stage = await setTheStage()
    const hub = await linked(stage)
    const base = {
      event_id: '$x',
      room_id: ROOM,
      sender: ALICE,
      type: 'm.room.message',
      origin_server_ts: systemClock.now(),
    }
    const bad = [null, 7, 'x', [], {}, { ...base, content: null }, { ...base, content: { body: { a: 1 } } }]
    const odd = [
      'm.reaction',
      'm.room.redaction',
      'm.room.member',
      'm.room.topic',
      'm.sticker',
      'm.poll.start',
    ].map((type, n) => ({
      ...base,
      type,
      event_id: `$odd${n}`,
      content: { 'm.relates_to': 7, topic: [], membership: 3 },
    }))
    await hub.handleTransaction('bad', [...bad, ...odd])
    await hub.settle()
    stage.homeserver.say(ROOM, ALICE, 'still alive')
    await settle(hub, stage)
    assert.ok(stage.network.texts('#c').includes('<alice> still alive'))
    await hub.stop()
  })

  test('withdraws what was not sent yet', async () => {
    let isAway = true
    await using stage = await setTheStage({
      fate: (text) =>
        isAway && text.includes('alice') ? { kind: 'retry', reason: 'away', afterMs: 20 } : undefined,
    })
    const hub = await linked(stage)
    stage.homeserver.say(ROOM, ALICE, 'first')
    const regretted = stage.homeserver.say(ROOM, ALICE, 'regretted')
    stage.homeserver.say(ROOM, ALICE, 'last')
    await settle(hub, stage)
    stage.homeserver.redact(ROOM, ALICE, regretted)
    await settle(hub, stage)
    isAway = false
    hub.context.wake('portal:1')
    await settle(hub, stage)
    assert.deepEqual(
      stage.network.texts('#c').filter((text) => text.startsWith('<')),
      ['<alice> first', '<alice> last'],
    )
    await hub.stop()
  })

  test('tells once that several messages may not have arrived, and sends none of them again', async () => {
    await using stage = await setTheStage({
      fate: (text) => (text.includes('lost') ? { kind: 'uncertain', reason: 'the line broke' } : undefined),
    })
    const hub = await linked(stage)
    for (const n of [1, 2, 3]) stage.homeserver.say(ROOM, ALICE, `lost ${n}`)
    stage.homeserver.say(ROOM, ALICE, 'kept')
    await settle(hub, stage)
    assert.ok(stage.network.texts('#c').includes('<alice> kept'), 'the lane goes on')
    assert.deepEqual(await warnings(stage), [
      '⚠ 3 messages, this being the first, may not have reached #c: the line broke.',
    ])
    await hub.stop()
    const again = await stage.start()
    await settle(again, stage)
    assert.ok(!stage.network.texts('#c').some((text) => text.includes('lost')))
    await again.stop()
  })

  test('ends a link on demand: nothing crosses, ghosts are gone, and the channel is free again', async () => {
    await using stage = await setTheStage()
    const { homeserver, network } = stage
    const hub = await linked(stage)
    network.say('#c', 'Bob', 'hello')
    await settle(hub, stage)
    assert.equal(homeserver.membership(ROOM, '@_x_fake_local_bob:example.org'), 'join')
    network.say('#c', 'Bob', '!unbridge')
    await settle(hub, stage)
    assert.ok(network.texts('#c').includes('Bob: that is for channel operators to decide.'))
    network.say('#c', 'opBob', '!unbridge')
    await settle(hub, stage)
    assert.equal(homeserver.membership(ROOM, '@_x_fake_local_bob:example.org'), 'leave')
    homeserver.say(ROOM, ALICE, 'anybody there?')
    network.say('#c', 'Bob', 'nobody')
    await settle(hub, stage)
    assert.ok(!network.texts('#c').some((text) => text.includes('anybody')))
    assert.ok(!homeserver.ghostBodies().includes('nobody'))
    homeserver.say(ROOM, ALICE, '!fake link local #c')
    await settle(hub, stage)
    homeserver.say(ROOM, ALICE, 'again')
    await settle(hub, stage)
    assert.ok(network.texts('#c').includes('<alice> again'))
    await hub.stop()
  })

  test('does what is said to it in a channel in that order, and ends only when it is done', async () => {
    await using stage = await setTheStage()
    const { homeserver, network } = stage
    const faults: unknown[] = []
    const hub = await linked(stage, '', { log: { ...silent, error: (message) => faults.push(message) } })
    for (const words of ['!bridge status', '!bridge dance', '!bridge status', '!unbridge'])
      network.say('#c', 'opBob', words)
    await settle(hub, stage)
    const answers = network.texts('#c').filter((text) => /^(Matrix room|I connect)/.test(text))
    assert.deepEqual(
      answers.map((text) => text.slice(0, 9)),
      ['Matrix ro', 'I connect', 'Matrix ro'],
      'all answers come before the end, in the order of the questions',
    )
    assert.ok(homeserver.botNotices().at(-1)?.startsWith('No longer connected with #c'))
    homeserver.say(ROOM, ALICE, '!fake link local #c')
    await settle(hub, stage)
    network.say('#c', 'opBob', '!unbridge')
    await hub.stop()
    assert.deepEqual(faults, [], 'nothing was still to be done without a database')
  })

  test('leaves no ghost behind that was still on its way into the room when the link ended', async () => {
    const [entering, mayEnter] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    await using stage = await setTheStage()
    const { homeserver, network } = stage
    const port = homeserver.port()
    const hub = await linked(stage, '', {
      port: {
        ...port,
        join: async (userId, roomId) => {
          if (userId !== undefined) {
            entering.resolve()
            await mayEnter.promise
          }
          return port.join(userId, roomId)
        },
      },
    })
    network.say('#c', 'Bob', 'a last word')
    await entering.promise
    network.say('#c', 'opBob', '!unbridge')
    // Without waiting for the ghost it would be gone long before.
    for (let turn = 0; turn < 25 && hub.context.links.inRoom(ROOM).length > 0; turn++)
      await systemClock.sleep(20)
    mayEnter.resolve()
    await settle(hub, stage)
    assert.deepEqual(hub.context.links.inRoom(ROOM), [])
    assert.equal(homeserver.membership(ROOM, '@_x_fake_local_bob:example.org'), 'leave')
    await hub.stop()
  })

  test('shows everybody of a channel where that is wanted, and who leaves, leaves', async () => {
    await using stage = await setTheStage()
    const { homeserver, network } = stage
    const hub = await linked(stage, 'eager')
    network.enter('#c', 'Dora')
    await settle(hub, stage)
    assert.equal(homeserver.membership(ROOM, '@_x_fake_local_bob:example.org'), 'join')
    assert.equal(homeserver.membership(ROOM, '@_x_fake_local_dora:example.org'), 'join')
    network.exit('#c', 'Bob')
    await settle(hub, stage)
    assert.equal(homeserver.membership(ROOM, '@_x_fake_local_bob:example.org'), 'leave')
    await hub.stop()
  })
})

test('a hub keeps its state in PostgreSQL as well: linked, spoken, restarted, ended', async (t) => {
  const server = await sharedPostgres()
  if ('skip' in server) return t.skip(server.skip)
  await using stage = await setTheStage({}, { kind: 'postgres', url: await server.createDatabase() })
  const { homeserver, network } = stage
  const first = await linked(stage, 'eager')
  homeserver.say(ROOM, ALICE, 'one')
  network.say('#c', 'Bob', 'two')
  await settle(first, stage)
  await first.stop()
  homeserver.say(ROOM, ALICE, 'three')
  const hub = await stage.start()
  await settle(hub, stage)
  network.say('#c', 'Bob', 'four')
  homeserver.say(ROOM, ALICE, '!fake status')
  await settle(hub, stage)
  assert.deepEqual(
    network.texts('#c').filter((text) => text.startsWith('<')),
    ['<alice> one', '<alice> three'],
  )
  assert.deepEqual(homeserver.ghostBodies(), ['two', 'four'])
  assert.match(homeserver.botNotices().at(-1)!, /^#c on local: live, relay, eager; connected; 0 waiting$/)
  homeserver.say(ROOM, ALICE, '!fake unlink')
  await settle(hub, stage)
  assert.equal(homeserver.membership(ROOM, '@_x_fake_local_bob:example.org'), 'leave')
  await hub.stop()
})

describe('a hub that is killed', () => {
  const SAID = Array.from({ length: 6 }, (_, n) => `word ${n}`)

  /** What it must be, whenever the end came. */
  function check({ network, homeserver }: Stage, uncertain: number): void {
    const arrived = network.texts('#c').filter((text) => text.startsWith('<alice> word'))
    assert.equal(new Set(arrived).size, arrived.length, 'nothing is said twice')
    assert.deepEqual(arrived, [...arrived].toSorted(), 'in order')
    const missing = SAID.filter((text) => !arrived.includes(`<alice> ${text}`))
    assert.ok(missing.length <= uncertain, `${missing.join()} missing, ${uncertain} marked as uncertain`)
    const bodies = homeserver.ghostBodies()
    assert.equal(new Set(bodies).size, bodies.length, 'nothing appears twice')
    assert.deepEqual(bodies, [...bodies].toSorted())
  }

  for (const when of ['before', 'after'] as const) {
    test(`just ${when} any of its commits says nothing twice and loses nothing silently`, async () => {
      let lastReached = 0
      for (let commit = 1; ; commit++) {
        await using stage = await setTheStage()
        const first = await linked(stage)
        await first.stop()
        const mortality = createMortality()
        const hub = await Promise.race([stage.start({ mortality, commit, when }), mortality.ended])
        for (const text of SAID) stage.homeserver.say(ROOM, ALICE, text)
        if (hub !== undefined) {
          const pushed = stage.homeserver.push((txnId, events) => hub.handleTransaction(txnId, events), 2)
          for (const n of [0, 1, 2, 3]) stage.network.say('#c', 'Bob', `answer ${n}`)
          await Promise.race([pushed.then(() => hub.settle()), mortality.ended])
        }
        const isOver = !mortality.isDead
        mortality.die()
        await Promise.all(mortality.underWay)
        const second = await stage.start()
        await settle(second, stage)
        const rows = await stage.db.query<{ n: number }>(
          "SELECT COUNT(*) AS n FROM bridge_outbox WHERE state = 'uncertain'",
          [],
        )
        check(stage, rows[0]!.n)
        assert.ok(rows[0]!.n <= 1, 'at most what was under way is uncertain')
        assert.equal((await warnings(stage)).length, rows[0]!.n, 'of which the room is told')
        await second.stop()
        if (isOver) break
        lastReached = commit
      }
      assert.ok(lastReached > 10, `only ${lastReached} commits were cut`)
    })
  }

  for (const when of ['before', 'after'] as const) {
    test(`just ${when} any of its commits tells of every message that may not have arrived`, async () => {
      let lastReached = 0
      for (let commit = 1; ; commit++) {
        await using stage = await setTheStage({
          fate: (text) =>
            text.includes('lost') ? { kind: 'uncertain', reason: 'the line broke' } : undefined,
        })
        await (await linked(stage)).stop()
        const mortality = createMortality()
        const hub = await Promise.race([stage.start({ mortality, commit, when }), mortality.ended])
        for (const n of [1, 2, 3]) stage.homeserver.say(ROOM, ALICE, `lost ${n}`)
        if (hub !== undefined) {
          const pushed = stage.homeserver.push((txnId, events) => hub.handleTransaction(txnId, events), 1)
          const told = pushed.then(() => hub.settle()).then(() => warnings(stage))
          await Promise.race([told, mortality.ended])
        }
        const isOver = !mortality.isDead
        mortality.die()
        await Promise.all(mortality.underWay)
        const second = await stage.start()
        await settle(second, stage)
        const sum = (await warnings(stage)).reduce(
          (count, text) => count + Number(/^⚠ (\d+) messages/.exec(text)?.[1] ?? 1),
          0,
        )
        assert.ok(sum >= 3, `${sum} of 3 were told of`)
        await second.stop()
        if (isOver) break
        lastReached = commit
      }
      assert.ok(lastReached > 6, `only ${lastReached} commits were cut`)
    })
  }
})
