import { writeSync } from 'node:fs'
import type { DatabaseConfig } from '@causeway/store/db/open.ts'
import { openIndex } from './index-suite.ts'

// Fills the index until it has everything, and says when each write begins, so that it can be killed there.
//   argv: the configuration of the database

const fixture = await openIndex(JSON.parse(process.argv[2]!) as DatabaseConfig, { batch: 20 })
const commit = fixture.db.commit.bind(fixture.db)
fixture.db.commit = (write) => {
  writeSync(1, 'write\n')
  return commit(write)
}
await fixture.fill()
await fixture[Symbol.asyncDispose]()
writeSync(1, 'done\n')
