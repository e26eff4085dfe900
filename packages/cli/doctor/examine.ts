import { totalmem } from 'node:os'
import { systemClock } from '@causeway/store/clock/system.ts'
import { inspectDatabase } from '@causeway/store/db/inspect.ts'
import type { HomeserverConfig } from '@causeway/homeserver/config.ts'
import { databaseConfigOf } from '@causeway/homeserver/server.ts'
import { checkClock, checkDataFolder, checkSpace } from './check-files.ts'
import { checkPorts } from './check-ports.ts'
import { fail, ok, warn, type Finding } from './finding.ts'

function checkRuntime(config: HomeserverConfig): Finding[] {
  const major = Number(process.versions.node.split('.', 1)[0])
  const node = `Node ${process.versions.node}`
  const memory = totalmem()
  const budget = `Memory: ${(config.memory.budget / 1024 ** 2).toFixed(0)} MiB for caches`
  return [
    major >= 26 ? ok(node) : fail(`${node}: Node 26 or newer is needed; npm start fetches it`),
    config.memory.budget > memory / 2
      ? warn(`${budget} is more than half of this machine's memory`)
      : ok(budget),
  ]
}

/** Everything that can be found out without starting the server. */
export async function examine(config: HomeserverConfig): Promise<Finding[]> {
  const parts = await Promise.all([
    checkDataFolder(config),
    checkSpace(config),
    inspectDatabase(databaseConfigOf(config)),
    checkPorts(config),
    checkClock(config, systemClock),
  ])
  return [...checkRuntime(config), ...parts.flat()]
}
