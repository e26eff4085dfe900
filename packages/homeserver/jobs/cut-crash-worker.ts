// Test support: a whole server, without a listener, that does the jobs which are left until there are none, or until it kills
// itself at one of the writes that cut a room's history off.
import { writeSync } from 'node:fs'
import { systemClock } from '@causeway/store/clock/system.ts'
import type { HomeserverConfig } from '../config.ts'
import { openTestServer, testConfig } from '../test-server.ts'

export interface Orders {
  readonly folder: string
  readonly config: Partial<HomeserverConfig>
  readonly kill: Kill | undefined
}

/** Dies at the so-manieth write: in its midst, or before anybody here knows that it was written. */
export interface Kill {
  readonly nth: number
  readonly when: 'midway' | 'written'
}

const { folder, config, kill } = JSON.parse(process.argv[2]!) as Orders
const server = await openTestServer(testConfig(folder, config), { endpoints: [] }, async () => undefined)
const { hs } = server
const { db } = hs
const commit = db.commit.bind(db)
const die = (): boolean => process.kill(process.pid, 'SIGKILL')
let writes = 0
db.commit = async (write) => {
  const isLast = write.entries.some(({ kind }) => kind === 'cut') && ++writes === kill?.nth
  const committed = commit(write)
  if (isLast && kill.when === 'midway') void systemClock.sleep(0).then(die)
  const result = await committed
  if (isLast) die()
  return result
}
hs.jobs.wake()
await hs.jobs.idle()
await server[Symbol.asyncDispose]()
writeSync(1, 'done\n')
