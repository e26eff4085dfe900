import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findServerDrivers } from '../test-server.ts'
import { openDevices, type DeviceServer, type TestDevice } from './test-devices.ts'

let transactions = 0

function send(
  on: DeviceServer,
  from: TestDevice,
  messages: JsonObject,
  txnId = `t${transactions++}`,
): Promise<JsonObject> {
  return on.call(from, 'PUT', `/sendToDevice/org.example.note/${txnId}`, { messages })
}

function notes(sync: JsonObject): unknown[] {
  const events = ((sync['to_device'] as JsonObject | undefined)?.['events'] ?? []) as JsonObject[]
  return events.map((event) => (event['content'] as JsonObject)['n'])
}

/** What `run` reads and writes; what the server does beside it does not count. */
async function watchDatabase(on: DeviceServer, run: () => Promise<unknown>): Promise<string[]> {
  const { db } = on.server.hs
  const seen: string[] = []
  const within = new AsyncLocalStorage<true>()
  const watch = (name: 'query' | 'queryLarge' | 'commit'): void => {
    const real = db[name].bind(db) as (...args: unknown[]) => unknown
    const watched = (...args: unknown[]): unknown => {
      if (within.getStore() === true) seen.push(typeof args[0] === 'string' ? args[0] : 'commit')
      return real(...args)
    }
    Object.defineProperty(db, name, { value: watched, configurable: true })
  }
  watch('query')
  watch('queryLarge')
  watch('commit')
  await within.run(true, run)
  return seen
}

for (const driver of await findServerDrivers()) {
  describe(`messages between devices on ${driver.name}`, { skip: driver.skip }, () => {
    it('arrive at the device they are for, as they were sent, and at no other', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      const bob = await on.register('bob')
      const other = await on.login(bob)
      for (const device of [alice, bob, other]) await on.sync(device)
      await send(on, alice, { [bob.userId]: { [bob.deviceId]: { n: 1, text: 'für dich \u0000' } } })
      assert.deepEqual((await on.sync(bob))['to_device'], {
        events: [
          { type: 'org.example.note', sender: alice.userId, content: { n: 1, text: 'für dich \u0000' } },
        ],
      })
      for (const device of [alice, other]) assert.equal((await on.sync(device))['to_device'], undefined)
    })

    it('wake a device that waits', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      await on.sync(alice)
      const waiting = on.sync(alice, { timeout: '30000' })
      await send(on, alice, { [alice.userId]: { [alice.deviceId]: { n: 1 } } })
      assert.deepEqual(notes(await waiting), [1])
    })

    it('come again with the same token, and are deleted when the next one acknowledges them', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      await on.sync(alice)
      const before = alice.since
      await send(on, alice, { [alice.userId]: { [alice.deviceId]: { n: 1 } } })
      assert.deepEqual(notes(await on.sync(alice)), [1])
      alice.since = before
      await on.restart()
      assert.deepEqual(notes(await on.sync(alice)), [1])
      assert.deepEqual(notes(await on.sync(alice)), [])
      alice.since = undefined
      assert.deepEqual(notes(await on.sync(alice)), [])
    })

    it('come a hundred at a time, in order, none lost or doubled', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      await on.sync(alice)
      for (let n = 0; n < 230; n++) await send(on, alice, { [alice.userId]: { [alice.deviceId]: { n } } })
      const first = notes(await on.sync(alice))
      const second = notes(await on.sync(alice))
      const { since } = alice
      await on.restart()
      const third = notes(await on.sync(alice))
      alice.since = since
      assert.deepEqual(notes(await on.sync(alice)), third)
      assert.deepEqual([first.length, second.length, third.length], [100, 100, 30])
      assert.deepEqual(
        [...first, ...second, ...third],
        Array.from({ length: 230 }, (_, n) => n),
      )
      assert.deepEqual(notes(await on.sync(alice)), [])
    })

    it('cost an idle device neither a query nor a write', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      const bob = await on.register('bob')
      await on.sync(alice)
      await send(on, alice, { [alice.userId]: { [alice.deviceId]: { n: 1 } } })
      await on.sync(alice)
      await on.sync(alice)
      await send(on, alice, { [bob.userId]: { '*': { n: 1 } } })
      const seen = await watchDatabase(on, () => on.sync(alice))
      assert.deepEqual(
        seen.filter((sql) => sql === 'commit' || /to_device|device_lists|one_time/.test(sql)),
        [],
      )
    })

    it('go to all devices by *, but a device that is named gets its own', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      const other = await on.login(alice)
      await send(on, alice, {
        [alice.userId]: { '*': { n: 'all' }, [other.deviceId]: { n: 'own' }, NONE: {} },
      })
      assert.deepEqual(notes(await on.sync(alice)), ['all'])
      assert.deepEqual(notes(await on.sync(other)), ['own'])
    })

    it('are sent once under one transaction id, after a restart too', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      const message = { [alice.userId]: { [alice.deviceId]: { n: 1 } } }
      assert.deepEqual(await send(on, alice, message, 'same'), {})
      assert.deepEqual(await send(on, alice, message, 'same'), {})
      await on.restart()
      assert.deepEqual(await send(on, alice, message, 'same'), {})
      assert.deepEqual(notes(await on.sync(alice)), [1])
    })

    it('are refused when they are malformed or too large', async () => {
      await using on = await openDevices(driver)
      const alice = await on.register('alice')
      const refused = async (body: JsonObject): Promise<unknown[]> => {
        const answer = await on.ask(alice, 'PUT', `/sendToDevice/org.example.note/t${transactions++}`, body)
        return [answer.status, answer.body['errcode']]
      }
      assert.deepEqual(await refused({}), [400, 'M_BAD_JSON'])
      assert.deepEqual(await refused({ messages: { [alice.userId]: { A: 1 } } }), [400, 'M_BAD_JSON'])
      assert.deepEqual(await refused({ messages: { [alice.userId]: { 'a\nb': 1 } } }), [400, 'M_BAD_JSON'])
      assert.deepEqual(await refused({ messages: { alice: { A: {} } } }), [400, 'M_INVALID_PARAM'])
      const long = { text: 'x'.repeat(70_000) }
      const messages = { [alice.userId]: { [alice.deviceId]: long } }
      assert.deepEqual(await refused({ messages }), [413, 'M_TOO_LARGE'])
    })
  })
}
