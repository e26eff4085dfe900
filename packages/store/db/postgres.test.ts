import { it } from 'node:test'
import { sharedPostgres } from '@causeway/testkit/postgres.ts'
import { commitSuite } from './conformance/commit-suite.ts'
import { lifetimeSuite } from './conformance/lifetime-suite.ts'
import { postgresTarget } from './conformance/targets.ts'
import { valueSuite } from './conformance/value-suite.ts'

const server = await sharedPostgres()
if ('skip' in server) {
  it('PostgreSQL passes the suites of the store', { skip: server.skip }, () => undefined)
} else {
  const target = postgresTarget(() => server.createDatabase())
  commitSuite(target)
  valueSuite(target)
  lifetimeSuite(target)
}
