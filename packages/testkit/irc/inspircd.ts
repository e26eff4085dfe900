import { makeSelfSigned } from '../certificates.ts'
import { startServer } from './server-process.ts'
import type { RunningServer } from './server-process.ts'

/** What every IRCv3 feature needs that Debian's InspIRCd can do. */
const MODULES = [
  ...['cap', 'ircv3', 'ircv3_accounttag', 'ircv3_batch', 'ircv3_capnotify', 'ircv3_chghost', 'ircv3_ctctags'],
  ...['ircv3_echomessage', 'ircv3_invitenotify', 'ircv3_labeledresponse', 'ircv3_msgid', 'ircv3_servertime'],
  ...['services_account', 'sasl', 'spanningtree', 'ssl_gnutls', 'sslinfo'],
  ...[
    'namesx',
    'uhnames',
    'monitor',
    'chghost',
    'muteban',
    'botmode',
    'sanick',
    'sajoin',
    'globalload',
    'setname',
  ],
]

export interface InspircdOptions {
  /** Modules to leave out, for instance `ircv3_labeledresponse`: makes the poorer kinds of server. */
  readonly without?: readonly string[]
  /** Lines of configuration added at the end. */
  readonly extra?: string
  /** `false`: the server's own flood protection (fakelag) is on, as on public networks. Default: off. */
  readonly unlimited?: boolean
  /** Bytes of a line without tags, announced as LINELEN where it is not 512. */
  readonly lineLength?: number
  /** Seconds of silence after which it asks with a PING, and after which it throws out who does not answer. Default 120. */
  readonly pingSeconds?: number
  /** Connections from one address. */
  readonly perHost?: number
  /** Makes it a leaf of another server: its operators link them by CONNECT and part them by SQUIT. */
  readonly leafOf?: Pick<RunningServer, 'ports'>
}

export interface Inspircd extends RunningServer {
  readonly tlsPort: number
  /** Where services link, see `startSaslServices`. */
  readonly servicesPort: number
  /** PEM of the self-made certificate: pass it as `ca` to verify. */
  readonly certificate: string
  readonly operator: { readonly name: string; readonly password: string }
}

const OPERATOR = { name: 'oper', password: 'operpass' }

const HUB = 'irc.causeway.test'
/** The name of a server that is started with `leafOf`. */
export const INSPIRCD_LEAF = 'leaf.causeway.test'

function connectClass({ unlimited = true, pingSeconds = 120, perHost = 5000 }: InspircdOptions): string {
  const rate = unlimited
    ? 'fakelag="no" commandrate="100000000" threshold="1000000" recvq="8388608"'
    : 'fakelag="yes" commandrate="1000" threshold="10" recvq="8192"'
  return (
    `<connect name="main" allow="*" timeout="30" pingfreq="${pingSeconds}" hardsendq="33554432" softsendq="16777216" ` +
    `localmax="${perHost}" globalmax="${perHost}" limit="10000" maxchans="1000" resolvehostnames="no" useident="no" ${rate}>`
  )
}

/** The server itself, and the one it may be linked with. */
function identity({ leafOf }: InspircdOptions): string[] {
  const [name, id, other] = leafOf === undefined ? [HUB, '0IN', INSPIRCD_LEAF] : [INSPIRCD_LEAF, '1LF', HUB]
  const peer = leafOf?.ports[2] ?? 1
  return [
    `<server name="${name}" description="test server" network="CausewayTest" id="${id}">`,
    `<link name="${other}" ipaddr="127.0.0.1" port="${peer}" allowmask="127.0.0.0/8" sendpass="link" recvpass="link">`,
  ]
}

function configuration(folder: string, ports: readonly number[], options: InspircdOptions): string {
  const [plain, tls, services] = ports
  const without = new Set(options.without)
  return [
    '<config format="xml">',
    `<path configdir="${folder}" datadir="${folder}" logdir="${folder}" moduledir="/usr/lib/inspircd/modules">`,
    ...identity(options),
    '<admin name="Test" email="test@causeway.test" nick="test">',
    `<bind address="127.0.0.1" port="${plain}" type="clients">`,
    `<sslprofile name="own" provider="gnutls" certfile="${folder}/cert.pem" keyfile="${folder}/key.pem" requestclientcert="yes" hash="sha256">`,
    `<bind address="127.0.0.1" port="${tls}" type="clients" sslprofile="own">`,
    `<bind address="127.0.0.1" port="${services}" type="servers">`,
    `<link name="services.causeway.test" ipaddr="127.0.0.1" port="${services}" allowmask="127.0.0.0/8" sendpass="link" recvpass="link">`,
    '<uline server="services.causeway.test" silent="yes">',
    '<sasl target="services.causeway.test" requiressl="no">',
    ...MODULES.filter((name) => !without.has(name)).map((name) => `<module name="${name}">`),
    connectClass(options),
    '<class name="all" commands="*" privs="*" usermodes="*" chanmodes="*">',
    '<type name="NetAdmin" classes="all">',
    `<oper name="${OPERATOR.name}" password="${OPERATOR.password}" host="*@*" type="NetAdmin">`,
    '<performance netbuffersize="10240" somaxconn="512" softlimit="12800" quietbursts="yes">',
    '<options prefixquit="Quit: " splitwhois="no" defaultmodes="not" hidesplits="no" nosnoticestack="yes" casemapping="rfc1459">',
    '<security announceinvites="dynamic" hidesplits="no" maxtargets="20" customversion="" userstats="Pu" runasuser="" runasgroup="">',
    `<limits maxnick="30" maxchan="64" maxmodes="20" maxident="10" maxhost="64" maxquit="255" maxtopic="307" maxkick="255" maxreal="128" maxaway="200" maxline="${options.lineLength ?? 512}">`,
    `<files motd="${folder}/motd.txt">`,
    '<log method="stdout" type="*" level="default" target="-">',
    options.extra ?? '',
  ].join('\n')
}

/** Starts InspIRCd with all the IRCv3 it has, TLS, an operator account and no limits a test would meet. */
export async function startInspircd(options: InspircdOptions = {}): Promise<Inspircd> {
  const own = makeSelfSigned('irc.causeway.test')
  const asRoot = process.getuid?.() === 0 ? ['--runasroot'] : []
  const server = await startServer({
    name: 'inspircd',
    ports: 3,
    files: (folder, ports) => ({
      'inspircd.conf': configuration(folder, ports, options),
      'cert.pem': own.certificate,
      'key.pem': own.key,
      'motd.txt': 'hello',
    }),
    command: (folder) => [
      'inspircd',
      '--nofork',
      '--nopid',
      ...asRoot,
      '--config',
      `${folder}/inspircd.conf`,
    ],
  })
  const [, tlsPort = 0, servicesPort = 0] = server.ports
  const more = { tlsPort, servicesPort, certificate: own.certificate, operator: OPERATOR }
  return Object.defineProperties(more, Object.getOwnPropertyDescriptors(server)) as typeof more &
    RunningServer
}
