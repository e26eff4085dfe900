import { createLogger } from '../../../packages/homeserver/ops/log.ts'
import { createAddressGuard } from '../../../packages/homeserver/outgoing/address-guard.ts'
import { createOutgoing, type Outgoing } from '../../../packages/homeserver/outgoing/outgoing.ts'
import { createSystemResolver } from '../../../packages/homeserver/outgoing/system-resolver.ts'
import { readAuthorities } from '../../../packages/homeserver/federation/create-federation.ts'
import { startHomeserver } from '../../../packages/homeserver/server.ts'
import type { HomeserverConfig } from '../../../packages/homeserver/config.ts'
import { systemClock, systemRandom } from '../../../packages/store/clock/system.ts'
import { loadConfig } from '../../../packages/cli/config/load.ts'
import { configSections } from '../../../packages/cli/config/sections.ts'
import type { Measure, WorkerReport, WorkerStart } from './worker-messages.ts'

// A homeserver in a process of its own, whose memory is its own: started and asked by messages.

const tell = (report: WorkerReport): void => void process.send?.(report)

/** What it is: the network of an operator, but for a name server of the test's, and port 443 that nobody may have. */
function outgoingOf(config: HomeserverConfig, authorities: string[], start: WorkerStart): Outgoing {
  const resolver = createSystemResolver(systemClock, { servers: [start.dns], hostsFile: '/nonexistent' })
  const guard = createAddressGuard(config.federation.allow_private_addresses)
  const real = createOutgoing({ clock: systemClock, resolver, guard, authorities })
  return {
    send: (request) =>
      real.send({ ...request, port: request.port === 443 ? start.wellKnownPort : request.port }),
    [Symbol.dispose]: () => real[Symbol.dispose](),
  }
}

async function run(start: WorkerStart): Promise<void> {
  const logger = createLogger({
    level: 'warn',
    format: 'json',
    clock: systemClock,
    write: (line) => tell({ kind: 'log', line }),
  })
  const loaded = loadConfig({
    sections: configSections,
    environment: start.environment,
    folder: start.folder,
  })
  const config = loaded.values as HomeserverConfig
  const resolver = createSystemResolver(systemClock, { servers: [start.dns], hostsFile: '/nonexistent' })
  const server = await startHomeserver(config, {
    clock: systemClock,
    random: systemRandom,
    logger,
    network: { resolver, outgoing: outgoingOf(config, await readAuthorities(config.federation), start) },
  })
  process.on('message', (message) => {
    if (message === 'stop') void server.stop().then(() => process.exit(0))
    if (message === 'measure') void measure().then((measured) => tell({ kind: 'measured', measured }))
  })
  tell({ kind: 'ready', url: server.urls[0]! })
}

/** After everything that can be collected was: what a turn of the event loop still holds is let go first. */
async function measure(): Promise<Measure> {
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setImmediate(resolve))
    gc!()
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return { bytes: heapUsed + arrayBuffers, handles: process.getActiveResourcesInfo().length }
}

process.once('message', (message) => {
  void run(message as WorkerStart).catch((error: unknown) => {
    tell({ kind: 'log', line: String(error instanceof Error ? error.stack : error) })
    process.exit(1)
  })
})
process.on('disconnect', () => process.exit(0))
