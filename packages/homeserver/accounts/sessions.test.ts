import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { createMemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import type { Database, Write } from '@causeway/store/db/database.ts'
import { findUser } from '@causeway/store/tables/users.ts'
import { accountRoutes } from '../client/account-routes.ts'
import type { DispatchResponse } from '../http/dispatch.ts'
import { findServerDrivers, TEST_PASSWORD, type TestServer } from '../test-server.ts'
import { setStanding } from './administer.ts'
import { deactivateAccount } from './deactivate.ts'
import { ACCESS_TOKEN_MS } from './new-session.ts'
import { logInAs } from './log-in.ts'
import { createSessions } from './sessions.ts'

const V3 = '/_matrix/client/v3'

const refused = (answer: DispatchResponse, status: number, errcode: string, soft?: boolean): void => {
  const { errcode: given, soft_logout: logout } = answer.json()
  assert.deepEqual([answer.status, given, logout], [status, errcode, soft])
}

/** The system's clock, moved forward as tests like. */
function movableClock(): { readonly clock: Clock; readonly move: (ms: number) => void } {
  let offset = 0
  const clock: Clock = {
    ...systemClock,
    now: () => systemClock.now() + offset,
    monotonic: () => systemClock.monotonic() + offset,
  }
  return { clock, move: (ms) => (offset += ms) }
}

for (const driver of await findServerDrivers()) {
  describe(`sessions on ${driver.name}`, { skip: driver.skip }, () => {
    const { clock, move } = movableClock()
    let server: TestServer
    before(async () => {
      server = await driver.start({ endpoints: accountRoutes, clock })
    })
    after(() => server[Symbol.asyncDispose]())

    const post = (path: string, body: JsonObject, token?: string) =>
      server.request('POST', V3 + path, { body, ...(token === undefined ? {} : { token }) })
    const whoami = (token: string) => server.request('GET', `${V3}/account/whoami`, { token })
    const refresh = (token: string) => post('/refresh', { refresh_token: token })
    const pair = (answer: DispatchResponse): { access: string; refresh: string } => {
      const json = answer.json()
      assert.equal(answer.status, 200, JSON.stringify(json))
      return { access: json['access_token'] as string, refresh: json['refresh_token'] as string }
    }
    const logIn = async (user: string) =>
      pair(
        await post('/login', {
          type: 'm.login.password',
          user,
          password: TEST_PASSWORD,
          refresh_token: true,
        }),
      )

    it('expire softly, are refreshed, and leave the client its device', async () => {
      await server.register('expiring')
      const first = await logIn('expiring')
      const device = (await whoami(first.access)).json()['device_id']
      move(ACCESS_TOKEN_MS + 1)
      // Twice: from memory and from the table.
      refused(await whoami(first.access), 401, 'M_UNKNOWN_TOKEN', true)
      refused(await whoami(first.access), 401, 'M_UNKNOWN_TOKEN', true)
      const second = pair(await refresh(first.refresh))
      assert.equal((await whoami(second.access)).json()['device_id'], device)
    })
    it('that cannot be refreshed do not expire', async () => {
      const { token } = await server.register('lasting')
      move(365 * 24 * 60 * 60_000)
      assert.equal((await whoami(token)).status, 200)
    })
    it('can be refreshed again with the old token while the answer may be lost', async () => {
      await server.register('lossy')
      const first = await logIn('lossy')
      const lost = pair(await refresh(first.refresh))
      const second = pair(await refresh(first.refresh))
      refused(await whoami(lost.access), 401, 'M_UNKNOWN_TOKEN', true)
      assert.equal((await whoami(second.access)).status, 200)
      assert.equal((await refresh(second.refresh)).status, 200)
    })
    it('all end softly when a refresh token is used that was spent: it was stolen', async () => {
      await server.register('robbed')
      const first = await logIn('robbed')
      const second = pair(await refresh(first.refresh))
      assert.equal((await whoami(second.access)).status, 200)
      refused(await refresh(first.refresh), 401, 'M_UNKNOWN_TOKEN', true)
      refused(await whoami(second.access), 401, 'M_UNKNOWN_TOKEN', true)
      refused(await refresh(second.refresh), 401, 'M_UNKNOWN_TOKEN', true)
      assert.equal((await logIn('robbed')).access.startsWith('cwa_'), true)
    })
    it('end likewise when the successor was refreshed without its access token having been used', async () => {
      await server.register('chained')
      const first = await logIn('chained')
      const second = pair(await refresh(first.refresh))
      const third = pair(await refresh(second.refresh))
      refused(await refresh(first.refresh), 401, 'M_UNKNOWN_TOKEN', true)
      refused(await whoami(third.access), 401, 'M_UNKNOWN_TOKEN', true)
    })
    it('are refreshed once by two requests at once', async () => {
      await server.register('twice')
      const first = await logIn('twice')
      const [one, two] = await Promise.all([refresh(first.refresh), refresh(first.refresh)])
      assert.deepEqual(one.json(), two.json())
      assert.equal((await whoami(pair(one).access)).status, 200)
      const rows = await server.hs.db.query('SELECT 1 AS one FROM refresh_tokens WHERE user_id = ?', [
        '@twice:test.example',
      ])
      assert.equal(rows.length, 2)
    })
    it('do not pile up rows by being refreshed', async () => {
      await server.register('steady')
      let current = await logIn('steady')
      for (let hour = 0; hour < 60; hour++) {
        move(ACCESS_TOKEN_MS)
        current = pair(await refresh(current.refresh))
        assert.equal((await whoami(current.access)).status, 200)
      }
      for (const table of ['access_tokens', 'refresh_tokens']) {
        const sql = `SELECT 1 AS one FROM ${table} WHERE user_id = '@steady:test.example'`
        const { length } = await server.hs.db.query(sql, [])
        assert.ok(length <= 27, `${length} rows in ${table}`)
      }
    })
    it('of nobody: unknown, logged out, of the wrong type, an access token', async () => {
      const { token } = await server.register('mixed')
      for (const text of ['made-up', token]) refused(await refresh(text), 401, 'M_UNKNOWN_TOKEN')
      refused(await post('/refresh', {}), 400, 'M_BAD_JSON')
      refused(await post('/refresh', { refresh_token: 7 }), 400, 'M_BAD_JSON')
      const own = await logIn('mixed')
      refused(await whoami(own.refresh), 401, 'M_UNKNOWN_TOKEN')
      assert.equal((await post('/logout', {}, own.access)).status, 200)
      refused(await refresh(own.refresh), 401, 'M_UNKNOWN_TOKEN')
    })
    it('of locked accounts are not refreshed until they are unlocked', async () => {
      const { userId } = await server.register('locked-out')
      const own = await logIn('locked-out')
      await setStanding(server.hs, userId as never, 'locked', true)
      refused(await refresh(own.refresh), 401, 'M_USER_LOCKED', true)
      await setStanding(server.hs, userId as never, 'locked', false)
      assert.equal((await refresh(own.refresh)).status, 200)
    })
    it('of a deactivated account end at once, and none begin', async () => {
      const { userId, token } = await server.register('gone')
      const own = await logIn('gone')
      const before = await findUser(server.hs.db, userId)
      assert.equal((await whoami(token)).status, 200)
      await deactivateAccount(server.hs, userId as never, false)
      refused(await whoami(token), 401, 'M_UNKNOWN_TOKEN')
      refused(await refresh(own.refresh), 401, 'M_UNKNOWN_TOKEN')
      const again = { type: 'm.login.password', user: 'gone', password: TEST_PASSWORD }
      refused(await post('/login', again), 403, 'M_FORBIDDEN')
      refused(await post('/register', { username: 'gone' }), 400, 'M_USER_IN_USE')
      // A login that had passed every check when the account ended.
      const device = { deviceId: undefined, displayName: undefined, refreshable: false, ip: '' }
      await assert.rejects(logInAs(server.hs, before!, device), { errcode: 'M_FORBIDDEN' })
      await assert.rejects(deactivateAccount(server.hs, userId as never, false), { errcode: 'M_NOT_FOUND' })
    })
    it('write down their last use in batches, once a minute', async () => {
      const { token, userId, deviceId } = await server.register('seen')
      const lastSeen = async (): Promise<number> => {
        await server.hs.sessions.flush()
        const [row] = await server.hs.db.query(
          'SELECT last_seen_ts FROM devices WHERE user_id = ? AND device_id = ?',
          [userId, deviceId],
        )
        return Number(row!['last_seen_ts'])
      }
      await whoami(token)
      const first = await lastSeen()
      move(30_000)
      await whoami(token)
      assert.equal(await lastSeen(), first)
      move(31_000)
      await whoami(token)
      assert.ok((await lastSeen()) >= first + 60_000)
    })
    it('do not keep what was read while they ended', async () => {
      const { token, userId } = await server.register('racing')
      const { db, logger } = server.hs
      const read = Promise.withResolvers<void>()
      const goOn = Promise.withResolvers<void>()
      const slow = {
        commit: (write: Write) => db.commit(write),
        query: async (...asked: Parameters<Database['query']>) => {
          const rows = await db.query(...asked)
          read.resolve()
          await goOn.promise
          return rows
        },
      } as unknown as Database
      const budget = createMemoryBudget(1e6)
      await using sessions = createSessions({ db: slow, clock, logger, budget })
      const use = { masqueradeAs: undefined, deviceId: undefined }
      const reading = sessions.find(token, use)
      await read.promise
      const sql = 'DELETE FROM access_tokens WHERE user_id = ?'
      await db.commit({ entries: [], steps: [{ sql, params: [userId] }] })
      sessions.forget(userId as never)
      const after = sessions.find(token, use)
      goOn.resolve()
      // Who asked before it ended may go on; who asks after may not.
      assert.equal(((await reading) as { userId: string }).userId, userId)
      assert.deepEqual([await after, await sessions.find(token, use)], [undefined, undefined])
    })
    it('answer from memory without a query, at once', async () => {
      const { token, userId } = await server.register('cached')
      const use = { masqueradeAs: undefined, deviceId: undefined }
      await server.hs.sessions.find(token, use)
      const found = server.hs.sessions.find(token, use)
      assert.ok(!(found instanceof Promise))
      assert.equal((found as { userId: string }).userId, userId)
    })
  })

  describe(`sessions and a restart on ${driver.name}`, { skip: driver.skip }, () => {
    it('are the same afterwards', async () => {
      let server = await driver.start({ endpoints: accountRoutes })
      const { token, userId } = await server.register('kept')
      server = await server.restart()
      const answer = await server.request('GET', `${V3}/account/whoami`, { token })
      assert.equal(answer.json()['user_id'], userId)
      await server[Symbol.asyncDispose]()
    })
  })
}
