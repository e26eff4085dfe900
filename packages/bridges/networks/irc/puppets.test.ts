import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import { ircClient } from '@causeway/testkit/irc/irc-client.ts'
import { noIrcServers } from '@causeway/testkit/irc/irc-servers.ts'
import { startNgircd } from '@causeway/testkit/irc/ngircd.ts'
import type { Speaker } from '../../core/network.ts'
import { PuppetPool } from './puppets.ts'
import type { IrcServerOptions } from './server-options.ts'

const speaker = (name: string): Speaker => ({
  userId: `@${name}:example.org`,
  displayName: name,
  isGhost: false,
})

test(
  'where there is no room for all, the connection that was silent for longest goes; too many are relayed, with the reason',
  { skip: noIrcServers },
  async () => {
    await using server = await startNgircd()
    const faults: unknown[] = []
    const pool = new PuppetPool({
      options: {
        dial: { host: server.host, port: server.port },
        puppets: { max: 2, suffix: '', idleMs: 0, patienceMs: 90_000 },
        flood: { burst: 100, perSecond: 100, queueLimit: 100 },
      } as IrcServerOptions,
      ...{ clock: systemClock, random: systemRandom },
      findAccount: async () => undefined,
      onFault: (cause) => faults.push(cause),
      fold: (nick) => nick.toLowerCase(),
    })
    await using watcher = await ircClient({ ...server, nick: 'watcher' })
    await watcher.join('#c')
    for (const name of ['ann', 'ben']) {
      const found = await pool.connect(speaker(name))
      assert.equal(found.kind, 'ready')
      if (found.kind === 'ready') await found.client.join('#c')
    }
    assert.deepEqual(await pool.connect(speaker('cid')), {
      ...{ kind: 'relay', reason: 'no more than 2 have one at the same time' },
    })
    await pool.connect(speaker('ann'))
    pool.makeRoom()
    await watcher.waitFor('quit', ({ nick }) => nick === 'ben')
    while (pool.size > 1) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(pool.nickOf('@ann:example.org'), 'ann')
    const next = await pool.connect(speaker('cid'))
    assert.equal(next.kind, 'ready')
    await pool.stop()
    assert.deepEqual(faults, [])
  },
)
