import { startServer } from './server-process.ts'
import type { RunningServer } from './server-process.ts'

export interface NgircdOptions {
  /** Lines added to the `[Options]` section. */
  readonly extraOptions?: string
  /** `false`: the server's own penalties are on, as by default on public servers. Default: off. */
  readonly unlimited?: boolean
  readonly password?: string
  /** Seconds of silence after which it asks with a PING, and then waits for the answer; at least 5. Default 120. */
  readonly pingSeconds?: number
  /** Connections from one address. */
  readonly perHost?: number
  /** Makes it a leaf of another server: its operators link them by CONNECT and part them by SQUIT. */
  readonly leafOf?: Pick<RunningServer, 'port'>
}

export interface Ngircd extends RunningServer {
  readonly operator: { readonly name: string; readonly password: string }
}

const OPERATOR = { name: 'oper', password: 'operpass' }

const HUB = 'bare.causeway.test'
/** The name of a server that is started with `leafOf`. */
export const NGIRCD_LEAF = 'leaf.causeway.test'

/** The server it may be linked with, once an operator of the leaf says so. */
function peer({ leafOf }: NgircdOptions): string[] {
  const address = leafOf === undefined ? [] : ['Host = 127.0.0.1', `Port = ${leafOf.port}`]
  const name = leafOf === undefined ? NGIRCD_LEAF : HUB
  return [
    '[Server]',
    `Name = ${name}`,
    ...address,
    'MyPassword = link',
    'PeerPassword = link',
    'Passive = yes',
  ]
}

function configuration(folder: string, port: number, options: NgircdOptions): string {
  const password = options.password === undefined ? [] : [`Password = ${options.password}`]
  return [
    '[Global]',
    `Name = ${options.leafOf === undefined ? HUB : NGIRCD_LEAF}`,
    'Info = test server',
    'AdminInfo1 = Test',
    'AdminEMail = test@causeway.test',
    'Listen = 127.0.0.1',
    `Ports = ${port}`,
    `MotdFile = ${folder}/motd.txt`,
    ...password,
    '[Limits]',
    'MaxConnections = 0',
    `MaxConnectionsIP = ${options.perHost ?? 0}`,
    'MaxJoins = 0',
    'MaxNickLength = 20',
    `PingTimeout = ${options.pingSeconds ?? 120}`,
    `PongTimeout = ${options.pingSeconds ?? 20}`,
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
    ...peer(options),
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
