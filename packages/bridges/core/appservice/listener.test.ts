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
    answerLookup: async (lookup) =>
      'protocol' in lookup && lookup.protocol === 'none' ? undefined : [lookup],
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
  const get = async (path: string, token = 'right'): Promise<unknown> => {
    const headers = { authorization: `Bearer ${token}` }
    const answer = await fetch(`http://127.0.0.1:${listener.port}/_matrix/app/${path}`, { headers })
    return answer.status === 200 ? ((await answer.json()) as unknown[])[0] : answer.status
  }
  const third = 'v1/thirdparty'
  assert.deepEqual(await get(`${third}/protocol/irc`), { about: 'protocol', protocol: 'irc' })
  assert.deepEqual(await get(`${third}/location/i%72c?channel=%23a&network=b`), {
    about: 'location',
    protocol: 'irc',
    fields: { channel: '#a', network: 'b' },
  })
  assert.deepEqual(await get('unstable/thirdparty/user/irc?access_token=right'), {
    about: 'user',
    protocol: 'irc',
    fields: {},
  })
  assert.deepEqual(await get(`${third}/user?userid=@a:b`), { about: 'user', userId: '@a:b' })
  assert.deepEqual(await get(`${third}/location?alias=%23a:b`), { about: 'location', alias: '#a:b' })
  for (const none of ['protocol/none', 'protocol', 'user', 'location', 'user/%ff', 'x/y'])
    assert.equal(await get(`${third}/${none}`), 404, none)
  assert.equal(await get(`${third}/protocol/irc`, 'wrong'), 403)
  fails = true
  assert.equal(await put(path, 'right', '{"events":[]}'), 500)
  assert.deepEqual(taken, [['t 1', 2]])
  assert.equal(faults.length, 1)
  await listener.stop()
})
