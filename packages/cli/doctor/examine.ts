import { totalmem } from 'node:os'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import { inspectDatabase } from '@causeway/store/db/inspect.ts'
import type { HomeserverConfig } from '@causeway/homeserver/config.ts'
import { databaseConfigOf } from '@causeway/homeserver/open-homeserver.ts'
import { checkClock, checkDataFolder, checkSpace } from './check-files.ts'
import { checkMedia } from './check-media.ts'
import { checkPorts } from './check-ports.ts'
import { checkFederation } from './federation/check-federation.ts'
import { checkVia } from './federation/check-via.ts'
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

/** Everything that can be found out from outside the running server. `via`: another server that is asked about this one. */
export async function examine(config: HomeserverConfig, via?: string): Promise<Finding[]> {
  const parts = await Promise.all([
    checkDataFolder(config),
    checkSpace(config),
    inspectDatabase(databaseConfigOf(config)),
    checkMedia(config, systemRandom),
    checkPorts(config),
    checkClock(config, systemClock),
    checkFederation(config),
    via === undefined ? [] : checkVia(config, via, systemClock.now()),
  ])
  return [...checkRuntime(config), ...parts.flat()]
}
