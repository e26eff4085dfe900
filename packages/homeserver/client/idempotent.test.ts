import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { findServerDrivers } from '../test-server.ts'
import { clientRoutes } from './routes.ts'

for (const driver of await findServerDrivers()) {
  describe(`transaction ids: ${driver.name}`, { skip: driver.skip }, () => {
    it('a request that was answered before a restart is answered the same after it, and done once', async () => {
      const first = await driver.start({ endpoints: clientRoutes })
      const { token, userId, deviceId } = await first.register('ann')
      const made = await first.request('POST', '/_matrix/client/v3/createRoom', { token, body: {} })
      const room = `/_matrix/client/v3/rooms/${encodeURIComponent(made.json()['room_id'] as string)}`
      const requests = [
        [`${room}/send/m.room.message/t1`, { msgtype: 'm.text', body: 'once' }],
        [
          '/_matrix/client/v3/sendToDevice/m.test/t1',
          { messages: { [userId]: { [deviceId]: { once: true } } } },
        ],
      ] as const
      const answers = []
      for (const [path, body] of requests) {
        const answer = await first.request('PUT', path, { token, body })
        assert.equal(answer.status, 200)
        answers.push(answer.json())
      }
      assert.match(answers[0]!['event_id'] as string, /^\$/)
      await using second = await first.restart()
      for (const [index, [path, body]] of requests.entries()) {
        assert.deepEqual((await second.request('PUT', path, { token, body })).json(), answers[index])
      }
      const page = await second.request('GET', `${room}/messages?dir=b&filter={"types":["m.room.message"]}`, {
        token,
      })
      assert.equal((page.json()['chunk'] as unknown[]).length, 1)
      const sync = (await second.request('GET', '/_matrix/client/v3/sync', { token })).json()
      assert.equal((sync['to_device'] as { events: unknown[] }).events.length, 1)
    })

    it('a request whose message was purged since is another one', async () => {
      const first = await driver.start({ endpoints: clientRoutes })
      const { token } = await first.register('ann')
      const made = await first.request('POST', '/_matrix/client/v3/createRoom', { token, body: {} })
      const room = `/_matrix/client/v3/rooms/${encodeURIComponent(made.json()['room_id'] as string)}`
      const body = { msgtype: 'm.text', body: 'gone and said again' }
      const say = async (server: typeof first, txnId: string): Promise<string> =>
        (await server.request('PUT', `${room}/send/m.room.message/${txnId}`, { token, body })).json()[
          'event_id'
        ] as string
      const gone = await say(first, 't1')
      await say(first, 't2')
      const sql = 'DELETE FROM events WHERE event_id = ?'
      await first.hs.db.commit({ entries: [], steps: [{ sql, params: [gone], expectRows: 1 }] })
      const second = await first.restart()
      const again = await say(second, 't1')
      assert.match(again, /^\$/)
      assert.notEqual(again, gone)
      await using third = await second.restart()
      assert.equal(await say(third, 't1'), again)
    })
  })
}
