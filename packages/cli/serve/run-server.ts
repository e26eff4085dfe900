import { isatty } from 'node:tty'
import type { Registry } from 'prom-client'
import type { BridgesConfig } from '@causeway/bridges/config.ts'
import type { BridgeRegistration } from '@causeway/bridges/core/appservice/registration.ts'
import type { Hub } from '@causeway/bridges/core/hub.ts'
import { ensureFirstAdminLink } from '@causeway/homeserver/accounts/first-admin.ts'
import { startAdminListener } from '@causeway/homeserver/admin/listener.ts'
import { publicBaseUrl } from '@causeway/homeserver/config.ts'
import { createLogSink, type LogSink } from '@causeway/homeserver/ops/log-sink.ts'
import { createLogger, type Logger } from '@causeway/homeserver/ops/log.ts'
import { RequestTimes } from '@causeway/homeserver/ops/request-times.ts'
import { startHomeserver, type RunningHomeserver } from '@causeway/homeserver/server.ts'
import { collectGarbage } from '@causeway/store/cache/collect-garbage.ts'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import { loadAllCommands } from '../bridges/load-commands.ts'
import type { Terminal } from '../command.ts'
import type { Settings } from '../load-settings.ts'
import { withoutOptimizers } from './optimizers.ts'
import { settleMemorySoon } from './settle-memory.ts'
import { waitForStop } from './stop-signal.ts'

const STDERR = 2

function openLog({ config }: Settings): { log: Logger; sink: LogSink } {
  const sink = createLogSink(STDERR)
  const { level, format } = config.log
  const shape = format === 'auto' ? (isatty(STDERR) ? 'text' : 'json') : format
  return {
    sink,
    log: createLogger({ level, format: shape, clock: systemClock, write: (line) => sink.write(line) }),
  }
}

/** A database that answers is what serving needs; everything else is in memory. */
async function findObstacle({ db }: RunningHomeserver): Promise<string | undefined> {
  try {
    await db.query('SELECT 1 AS one', [])
    return undefined
  } catch {
    return 'The database does not answer'
  }
}

/** Loads the metrics library when somebody asks for metrics, once. */
function lateRegistry(
  server: RunningHomeserver,
  times: RequestTimes,
  findHub: () => Hub | undefined,
): () => Promise<Registry> {
  let loading: Promise<Registry> | undefined
  const load = async (): Promise<Registry> => {
    const { createRegistry } = await import('@causeway/homeserver/ops/register-sources.ts')
    const { router, hs, db } = server
    const registry = createRegistry({ ...hs, times, router, db })
    const hub = findHub()
    if (hub !== undefined) (await import('./hub-metrics.ts')).registerHubMetrics(registry, hub.context)
    return registry
  }
  return () => (loading ??= load())
}

/** What a person needs to know after the start, on standard output; the log goes to standard error. */
function announce(
  terminal: Terminal,
  { config, file }: Settings,
  server: RunningHomeserver,
  adminLink: string | undefined,
): void {
  const invitation =
    adminLink === undefined
      ? ''
      : `\nNobody has an account yet. This link makes the first administrator, once:\n  ${adminLink}\n`
  terminal.out(
    `Causeway is ready.\n  server name    ${config.server_name}\n  for clients    ${publicBaseUrl(config)}\n` +
      `  listening on   ${server.urls.join(', ')}\n  data           ${config.data_dir}\n` +
      `  configuration  ${file ?? 'defaults (see causeway config explain)'}\n${invitation}`,
  )
}

/** Whether the operator named any network; without one nothing of the bridges is loaded. */
function hasBridges({ irc }: BridgesConfig): boolean {
  return Object.keys(irc.servers).length > 0
}

/** The hub runs in this process where the configuration names a network; its code is loaded only then. */
async function joinHub(settings: Settings): Promise<{
  readonly registrations: readonly BridgeRegistration[]
  start(server: RunningHomeserver, log: Logger): Promise<Hub | undefined>
}> {
  const { bridges } = settings
  if (!hasBridges(bridges)) return { registrations: [], start: async () => undefined }
  const { registrationOf, startHub } = await import('./start-hub.ts')
  const registration = registrationOf(settings)
  return {
    registrations: [registration],
    start: (server, log) => startHub(bridges, { server, registration, log }),
  }
}

/** Whoever renews certificates may say so, instead of waiting for us to look; else SIGHUP ends us as it does others. */
function readCertificatesOnSignal({ config }: Settings, { certificates }: RunningHomeserver): void {
  if (!config.listeners.some(({ tls_cert: file }) => file !== undefined)) return
  process.on('SIGHUP', () => void certificates.check())
}

/** Runs the server until a signal or a failing database ends it; answers the exit code. */
export async function runServer(terminal: Terminal, settings: Settings): Promise<number> {
  const { log, sink } = openLog(settings)
  using starting = withoutOptimizers()
  const times = new RequestTimes()
  const stopping = waitForStop(sink, systemClock)
  const bridges = await joinHub(settings)
  const server = await startHomeserver(settings.config, {
    clock: systemClock,
    random: systemRandom,
    logger: log,
    observe: times.observe,
    onFailure: (error) => stopping.fail(error),
    appservices: bridges.registrations,
  })
  let hub: Hub | undefined
  try {
    hub = await bridges.start(server, log)
    const loadCommands = (): ReturnType<typeof loadAllCommands> => loadAllCommands(() => hub?.context)
    const options = {
      hs: server.hs,
      loadRegistry: lateRegistry(server, times, () => hub),
      findObstacle: () => findObstacle(server),
      loadCommands,
    }
    await using _admin = await startAdminListener(options)
    announce(terminal, settings, server, await ensureFirstAdminLink(server.hs))
    starting[Symbol.dispose]()
    readCertificatesOnSignal(settings, server)
    settleMemorySoon(systemClock, () => {
      collectGarbage()
      server.db.settleMemory()
    })
    log.info('ready', { urls: server.urls, server_name: settings.config.server_name, node: process.version })
    const reason = await stopping.reason
    if (reason instanceof Error) log.error('stopping: the database failed', { error: reason })
    else log.info('stopping', { signal: reason })
    return reason instanceof Error ? 1 : 0
  } finally {
    // The hub first: it still writes down what reached it, and says goodbye on its networks.
    await hub?.stop().catch((error: unknown) => log.error('the bridges did not stop in order', { error }))
    await server.stop()
    log.info('stopped')
    sink.flush()
  }
}
