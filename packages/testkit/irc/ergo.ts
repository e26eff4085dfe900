import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { parse, stringify } from 'yaml'
import { startServer } from './server-process.ts'
import type { RunningServer } from './server-process.ts'

/**
 * The Ergo IRC server that the variable ERGO_BIN names, or why there is none. Debian has no package of it: its `ergo`
 * is another program.
 */
export function findErgo(
  environment: Readonly<Record<string, string | undefined>> = process.env,
):
  | { readonly binary: string; readonly reason?: undefined }
  | { readonly binary?: undefined; readonly reason: string } {
  const binary = environment['ERGO_BIN'] ?? ''
  if (binary === '') return { reason: 'ERGO_BIN names no Ergo IRC server' }
  return existsSync(binary) ? { binary } : { reason: `ERGO_BIN names ${binary}, which does not exist` }
}

/** Ergo's own default configuration, on a loopback port and without limits a test would meet. */
function configuration(binary: string, folder: string, port: number): string {
  const config = parse(execFileSync(binary, ['defaultconfig'], { encoding: 'utf8' })) as Record<
    'network' | 'server' | 'datastore' | 'languages' | 'accounts' | 'fakelag' | 'history',
    Record<string, unknown>
  >
  config.network = { name: 'ErgoTest' }
  Object.assign(config.server, {
    ...{ name: 'ergo.causeway.test', listeners: { [`127.0.0.1:${port}`]: {} } },
    ...{ 'lookup-hostnames': false, 'check-ident': false, 'max-sendq': '64M', motd: `${folder}/motd.txt` },
    ...{
      'ip-limits': { count: false, throttle: false },
      'enforce-utf8': true,
      'override-services-hostname': '',
    },
    'ip-cloaking': { enabled: false },
  })
  config.datastore['path'] = `${folder}/ircd.db`
  config.languages = { enabled: false, default: 'en', path: `${folder}/languages` }
  config.fakelag = { enabled: false }
  return stringify(config)
}

/** Starts Ergo: message ids, echoes, labels, reply and reaction tags, and history for who comes back. */
export function startErgo(binary: string): Promise<RunningServer> {
  return startServer({
    name: 'ergo',
    ports: 1,
    files: (folder, ports) => ({
      'ircd.yaml': configuration(binary, folder, ports[0] ?? 0),
      'motd.txt': 'hello\n',
    }),
    command: (folder) => [
      'sh',
      '-c',
      '[ -e "$2/ircd.db" ] || "$1" initdb --quiet --conf "$2/ircd.yaml"; exec "$1" run --quiet --conf "$2/ircd.yaml"',
      'sh',
      binary,
      folder,
    ],
  })
}
