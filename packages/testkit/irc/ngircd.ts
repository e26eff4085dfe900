import { startServer } from './server-process.ts'
import type { RunningServer } from './server-process.ts'

export interface NgircdOptions {
  /** Lines added to the `[Options]` section. */
  readonly extraOptions?: string
  /** `false`: the server's own penalties are on, as by default on public servers. Default: off. */
  readonly unlimited?: boolean
  readonly password?: string
}

export interface Ngircd extends RunningServer {
  readonly operator: { readonly name: string; readonly password: string }
}

const OPERATOR = { name: 'oper', password: 'operpass' }

function configuration(folder: string, port: number, options: NgircdOptions): string {
  const password = options.password === undefined ? [] : [`Password = ${options.password}`]
  return [
    '[Global]',
    'Name = bare.causeway.test',
    'Info = test server',
    'AdminInfo1 = Test',
    'AdminEMail = test@causeway.test',
    'Listen = 127.0.0.1',
    `Ports = ${port}`,
    `MotdFile = ${folder}/motd.txt`,
    ...password,
    '[Limits]',
    'MaxConnections = 0',
    'MaxConnectionsIP = 0',
    'MaxJoins = 0',
    'MaxNickLength = 20',
    'PingTimeout = 120',
    'PongTimeout = 20',
    `MaxPenaltyTime = ${(options.unlimited ?? true) ? 0 : -1}`,
    '[Options]',
    'DNS = no',
    'Ident = no',
    'PAM = no',
    'SyslogFacility = local1',
    options.extraOptions ?? '',
    '[Operator]',
    `Name = ${OPERATOR.name}`,
    `Password = ${OPERATOR.password}`,
    '',
  ].join('\n')
}

/** Starts ngIRCd: a bare server, without message tags, ids or echoes, and without limits a test would meet. */
export async function startNgircd(options: NgircdOptions = {}): Promise<Ngircd> {
  const server = await startServer({
    name: 'ngircd',
    ports: 1,
    files: (folder, ports) => ({
      'ngircd.conf': configuration(folder, ports[0] ?? 0, options),
      'motd.txt': 'hello\n',
    }),
    command: (folder) => ['ngircd', '--nodaemon', '--config', `${folder}/ngircd.conf`],
  })
  const more = { operator: OPERATOR }
  return Object.defineProperties(more, Object.getOwnPropertyDescriptors(server)) as typeof more &
    RunningServer
}
