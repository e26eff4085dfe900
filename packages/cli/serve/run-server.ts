import { isatty } from 'node:tty'
import { Registry } from 'prom-client'
import { ensureFirstAdminLink } from '@causeway/homeserver/accounts/first-admin.ts'
import { startAdminListener } from '@causeway/homeserver/admin/listener.ts'
import { publicBaseUrl } from '@causeway/homeserver/config.ts'
import { createLogSink, type LogSink } from '@causeway/homeserver/ops/log-sink.ts'
import { createLogger, type Logger } from '@causeway/homeserver/ops/log.ts'
import { registerSources } from '@causeway/homeserver/ops/register-sources.ts'
import { RequestTimes } from '@causeway/homeserver/ops/request-times.ts'
import { startHomeserver, type RunningHomeserver } from '@causeway/homeserver/server.ts'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import type { Terminal } from '../command.ts'
import type { Settings } from '../load-settings.ts'
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

/** Runs the server until a signal or a failing database ends it; answers the exit code. */
export async function runServer(terminal: Terminal, settings: Settings): Promise<number> {
  const { log, sink } = openLog(settings)
  const registry = new Registry()
  const times = new RequestTimes()
  const stopping = waitForStop(sink, systemClock)
  const server = await startHomeserver(settings.config, {
    clock: systemClock,
    random: systemRandom,
    logger: log,
    observe: times.observe,
    onFailure: (error) => stopping.fail(error),
  })
  try {
    registerSources(registry, { times, router: server.router, budget: server.hs.budget, db: server.db })
    const options = { hs: server.hs, registry, findObstacle: () => findObstacle(server) }
    await using _admin = await startAdminListener(options)
    announce(terminal, settings, server, await ensureFirstAdminLink(server.hs))
    log.info('ready', { urls: server.urls, server_name: settings.config.server_name, node: process.version })
    const reason = await stopping.reason
    if (reason instanceof Error) log.error('stopping: the database failed', { error: reason })
    else log.info('stopping', { signal: reason })
    return reason instanceof Error ? 1 : 0
  } finally {
    await server.stop()
    log.info('stopped')
    sink.flush()
  }
}
