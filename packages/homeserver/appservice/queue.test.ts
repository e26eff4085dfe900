import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { EventId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import type { DatabaseConfig } from '@causeway/store/db/open.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { appendPending } from '@causeway/store/tables/appservices.ts'
import { createKeyCounts } from '../devices/create-key-counts.ts'
import { newRoom, say } from '../jobs/jobs-suite.ts'
import { silentLogger } from '../ops/log.ts'
import { findEvents } from '../rooms/read-events.ts'
import { openTestEngine } from '../rooms/test-engine.ts'
import { holdAnswers, type HeldDatabase } from '../test-held-database.ts'
import { prepareKnown } from './known.ts'
import { AppserviceQueue } from './queue.ts'
import { parseRegistration } from './registration.ts'
import { createRegistry } from './registry.ts'
import { testRegistration } from './test-appservice.ts'

const serverName = 'test' as ServerName

interface Scene extends AsyncDisposable, Pick<HeldDatabase, 'hold'> {
  readonly queue: AppserviceQueue
  /** The texts of messages in the order of their coming; resolves when there are so many. */
  delivered(count: number): Promise<readonly string[]>
  /** Messages in a room, as they are stored. */
  said(count: number): Promise<StoredEvent[]>
  /** Writes down that these wait, as at an earlier start. */
  leave(events: readonly StoredEvent[]): Promise<void>
  commit(steps: Awaited<ReturnType<AppserviceQueue['put']>>): Promise<void>
}

async function open(config: DatabaseConfig, before: (held: HeldDatabase) => void = () => {}): Promise<Scene> {
  const opened = await openTestEngine(config)
  const { engine, db: real } = opened
  const held = holdAnswers(real)
  const irc = parseRegistration(testRegistration('irc', null), serverName, { source: 'test' })
  const [known] = await prepareKnown(real, createRegistry(serverName, [irc]))
  const roomId = await newRoom(engine)
  const texts: string[] = []
  let look = (): void => undefined
  const commit: Scene['commit'] = async (steps) => {
    assert.ok((await real.commit({ entries: [], steps })).ok)
  }
  before(held)
  const keyCounts = createKeyCounts({ db: real, budget: engine.budget })
  const deps = {
    db: held.db,
    clock: systemClock,
    random: engine.random,
    logger: silentLogger,
    rooms: engine,
    keyCounts,
  }
  const queue = new AppserviceQueue({ ...deps, epoch: 'e' }, known!, (_txn, body) => {
    const { events } = JSON.parse(body) as { events: { content: { body: string } }[] }
    texts.push(...events.map(({ content }) => content.body))
    look()
    return Promise.resolve()
  })
  return {
    hold: held.hold,
    queue,
    async delivered(count) {
      const { promise, resolve } = Promise.withResolvers<void>()
      look = () => void (texts.length >= count && resolve())
      look()
      await promise
      return texts
    },
    async said(count) {
      const ids: EventId[] = []
      for (let n = 0; n < count; n++) ids.push(await say(engine, roomId, `message ${n}`))
      const events = await findEvents(engine, ids)
      return ids.map((id) => events.get(id)!)
    },
    async leave(events) {
      const items = events.map(({ nid }) => nid).join(',')
      await commit([appendPending(known!.nid, events[0]!.nid, items)])
    },
    commit,
    async [Symbol.asyncDispose]() {
      await queue[Symbol.asyncDispose]()
      await opened[Symbol.asyncDispose]()
    },
  }
}

for (const driver of await findTestDrivers()) {
  describe(`the queue of an appservice on ${driver.name}`, { skip: driver.skip }, () => {
    it('goes on where its last number was read before a transaction that came in between', async () => {
      await using target = await driver.create()
      await using scene = await open(target.config)
      const [first, second] = await scene.said(2)
      const held = scene.hold(/SELECT last_txn/)
      const reloaded = scene.queue.reload()
      await held.read
      await scene.leave([first!])
      scene.queue.confirm(first!.nid)
      await scene.delivered(1)
      held.release()
      await reloaded
      await scene.leave([second!])
      scene.queue.confirm(second!.nid)
      assert.deepEqual(await scene.delivered(2), ['message 0', 'message 1'])
    })

    it('keeps the order where it looks for a transaction while one is being put', async () => {
      await using target = await driver.create()
      const idle = Promise.withResolvers<void>()
      await using scene = await open(target.config, ({ hold }) => {
        const look = hold(/FROM appservice_pending/)
        void look.read.then(() => (look.release(), idle.resolve()))
      })
      await idle.promise
      const events = await scene.said(130)
      const through = events.at(-1)!.nid
      const steps = await scene.queue.put(
        events.map((event) => ({ position: event.nid, item: event })),
        through,
      )
      const held = scene.hold(/FROM appservice_transactions/)
      scene.queue.putEphemeral({ key: 'x', json: '{"content":{}}' })
      await held.read
      await scene.commit(steps)
      held.release()
      scene.queue.confirm(through)
      assert.deepEqual(
        await scene.delivered(130),
        Array.from({ length: 130 }, (_, n) => `message ${n}`),
      )
    })
  })
}
