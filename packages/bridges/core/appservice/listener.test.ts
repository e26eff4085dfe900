import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startAppserviceListener } from './listener.ts'

test('only the homeserver’s own transactions are taken, and a failure is not acknowledged', async () => {
  const taken: [string, number][] = []
  const faults: unknown[] = []
  let fails = false
  const listener = await startAppserviceListener({
    ...{ host: '127.0.0.1', port: 0, hsToken: 'right', onFault: (error) => faults.push(error) },
    handleTransaction: async (txnId, events) => {
      if (fails) throw new Error('no disk')
      taken.push([txnId, events.length])
    },
  })
  const put = async (path: string, token: string, body: string): Promise<number> => {
    const headers = { authorization: `Bearer ${token}` }
    return (await fetch(`http://127.0.0.1:${listener.port}${path}`, { method: 'PUT', headers, body })).status
  }
  const path = '/_matrix/app/v1/transactions/t%201'
  assert.equal(await put(path, 'wrong', '{"events":[]}'), 403)
  assert.equal(await put(path, '', '{"events":[]}'), 403)
  assert.equal(await put(path, 'right', '{"events":[{},{}]}'), 200)
  for (const body of ['', '[', '[]', '{}', '{"events":{}}']) assert.equal(await put(path, 'right', body), 400)
  assert.equal(await put('/_matrix/app/v1/other', 'right', '{}'), 404)
  assert.equal(await put('/favicon.ico', 'wrong', ''), 404)
  fails = true
  assert.equal(await put(path, 'right', '{"events":[]}'), 500)
  assert.deepEqual(taken, [['t 1', 2]])
  assert.equal(faults.length, 1)
  await listener.stop()
})
