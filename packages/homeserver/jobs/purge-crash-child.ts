import { writeSync } from 'node:fs'
import type { DatabaseConfig } from '@causeway/store/db/open.ts'
import { openJobs } from './jobs-suite.ts'

// Does the jobs that are left until there are none, and says when each write begins, so that it can be killed there.
//   argv: the configuration of the database

const fixture = await openJobs(JSON.parse(process.argv[2]!) as DatabaseConfig)
const { db } = fixture.engine
const commit = db.commit.bind(db)
db.commit = (write) => {
  writeSync(1, 'write\n')
  return commit(write)
}
fixture.jobs.wake()
await fixture.jobs.idle()
await fixture[Symbol.asyncDispose]()
writeSync(1, 'done\n')
