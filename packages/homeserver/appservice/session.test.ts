import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ServerName } from '@causeway/matrix/ids/ids.ts'
import { Cache } from '@causeway/store/cache/lru.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { insertUser, setUserFlag, type UserRecord } from '@causeway/store/tables/users.ts'
import { openTestEngine } from '../rooms/test-engine.ts'
import { holdAnswers } from '../test-held-database.ts'
import { parseRegistration } from './registration.ts'
import { createRegistry } from './registry.ts'
import { findAppserviceSession } from './session.ts'
import { testRegistration } from './test-appservice.ts'

const serverName = 'test' as ServerName
const ghost = '@_irc_ghost:test'

for (const driver of await findTestDrivers()) {
  describe(`sessions of appservices on ${driver.name}`, { skip: driver.skip }, () => {
    it('do not keep an account as it was before a change that came while it was read', async () => {
      await using target = await driver.create()
      await using opened = await openTestEngine(target.config)
      const { db: real } = opened
      const account = { userId: ghost, passwordHash: '', isAdmin: false, appserviceId: 'irc' }
      const made = insertUser({ ...account, createdTs: 1, termsAccepted: '' })
      await real.commit({ entries: [], steps: [made] })
      const { db, hold } = holdAnswers(real)
      const irc = parseRegistration(testRegistration('irc', null), serverName, { source: 'test' })
      const users = new Cache<string, UserRecord>('users', 10_000, () => 400)
      const deps = { db, users, registry: createRegistry(serverName, [irc]) }
      const use = { masqueradeAs: ghost, deviceId: undefined }
      const find = async (): Promise<unknown> =>
        (await findAppserviceSession(deps, irc.asToken, use as never)) as unknown
      const held = hold(/FROM users/)
      const first = find()
      await held.read
      await real.commit({ entries: [], steps: [setUserFlag(ghost, 'is_locked', true)] })
      users.delete(ghost)
      held.release()
      await first
      assert.equal(((await find()) as { standing?: string }).standing, 'locked')
      assert.equal(users.peek(ghost)?.isLocked, true)
    })
  })
}
