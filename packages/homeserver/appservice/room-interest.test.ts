import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { createMemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { DatabaseConfig } from '@causeway/store/db/open.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { newRoom } from '../jobs/jobs-suite.ts'
import { findRoom } from '../rooms/load-head.ts'
import { openTestEngine } from '../rooms/test-engine.ts'
import { holdAnswers, type HeldDatabase } from '../test-held-database.ts'
import { prepareKnown, type KnownAppservice } from './known.ts'
import { parseRegistration } from './registration.ts'
import { createRegistry } from './registry.ts'
import { RoomInterest } from './room-interest.ts'
import { testRegistration } from './test-appservice.ts'

const serverName = 'test' as ServerName

interface Scene extends AsyncDisposable, Pick<HeldDatabase, 'hold'> {
  readonly one: KnownAppservice
  readonly interest: RoomInterest
  readonly room: { readonly roomNid: number; readonly roomId: RoomId }
  /** A batch of the dispatcher that changes memberships, up to its commit. */
  batch(...changes: readonly (readonly [name: string, membership: string])[]): Promise<void>
  wants(): Promise<boolean>
}

async function open(config: DatabaseConfig): Promise<Scene> {
  const opened = await openTestEngine(config)
  const { engine } = opened
  const { db, hold } = holdAnswers(opened.db)
  const irc = parseRegistration(testRegistration('irc', null), serverName, { source: 'test' })
  const registry = createRegistry(serverName, [irc])
  const [one] = (await prepareKnown(db, registry)) as [KnownAppservice]
  const interest = new RoomInterest({ db, registry, budget: createMemoryBudget(1_000_000) }, [one])
  const roomId = await newRoom(engine)
  const room = (await findRoom(engine, roomId))!
  return {
    hold,
    one,
    interest,
    room,
    async batch(...changes) {
      await interest.begin(new Map([[room.roomNid, roomId]]))
      for (const [name, membership] of changes) {
        const stateKey = `@_irc_${name}:test`
        const event = { type: 'm.room.member', stateKey, content: { membership }, roomNid: room.roomNid }
        interest.apply(event as unknown as StoredEvent)
      }
      const result = await opened.db.commit({ entries: [], steps: interest.steps() })
      assert.ok(result.ok)
    },
    wants: () => interest.wants(one, room),
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  }
}

for (const driver of await findTestDrivers()) {
  describe(`which rooms an appservice wants on ${driver.name}`, { skip: driver.skip }, () => {
    it('is not kept as it was before a batch that came while somebody read it', async () => {
      await using target = await driver.create()
      await using scene = await open(target.config)
      const held = scene.hold(/appservice_members/)
      const asked = scene.wants()
      await held.read
      await scene.batch(['ghost', 'join'])
      await scene.batch()
      held.release()
      await asked
      assert.equal(await scene.wants(), true)
      await scene.batch(['ghost', 'leave'])
      assert.equal(await scene.wants(), false)
    })

    it('is not unlearned by who asked whether anybody was left before somebody came', async () => {
      await using target = await driver.create()
      await using scene = await open(target.config)
      await scene.batch(['ghost', 'join'])
      await scene.batch(['ghost', 'leave'])
      await scene.batch()
      const held = scene.hold(/LIMIT 1/)
      const asked = scene.wants()
      await held.read
      await scene.batch(['other', 'join'])
      held.release()
      await asked
      assert.equal(await scene.wants(), true)
    })
  })
}
