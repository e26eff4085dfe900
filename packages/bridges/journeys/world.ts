import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import { startCauseway } from '@causeway/testkit/causeway.ts'
import { noIrcServers } from '@causeway/testkit/irc/irc-servers.ts'
import { startInspircd } from '@causeway/testkit/irc/inspircd.ts'
import type { Inspircd, InspircdOptions } from '@causeway/testkit/irc/inspircd.ts'
import { ircClient } from '@causeway/testkit/irc/irc-client.ts'
import type { TestIrcClient } from '@causeway/testkit/irc/irc-client.ts'
import { startNgircd } from '@causeway/testkit/irc/ngircd.ts'
import type { Ngircd, NgircdOptions } from '@causeway/testkit/irc/ngircd.ts'
import type { RunningServer } from '@causeway/testkit/irc/server-process.ts'
import { matrixPerson } from '@causeway/testkit/matrix-person.ts'
import type { MatrixPerson } from '@causeway/testkit/matrix-person.ts'
import { freePort } from '@causeway/testkit/free-port.ts'
import { startSynapse } from '@causeway/testkit/synapse.ts'
import type { BridgesConfig, IrcServerConfig } from '../config.ts'
import { buildRegistration } from '../core/appservice/registration.ts'
import type { BridgeRegistration } from '../core/appservice/registration.ts'
import type { IrcServerOptions } from '../networks/irc/server-options.ts'
import { startStandalone } from '../standalone.ts'
import type { Standalone, StandaloneOptions } from '../standalone.ts'
import { textOf } from '@causeway/testkit/text-of.ts'

/** A homeserver that the hub serves from outside, by the Application Service API. */
export interface Host extends AsyncDisposable {
  readonly url: string
  readonly serverName: string
}

export interface HostKind {
  readonly name: string
  start(registrations: readonly BridgeRegistration[]): Promise<Host | { readonly skip: string }>
}

async function startOurs(registrations: readonly BridgeRegistration[]): Promise<Host> {
  const folder = await mkdtemp(path.join(tmpdir(), 'causeway-registrations-'))
  const files = await Promise.all(
    registrations.map(async (registration, index) => {
      const file = path.join(folder, `${index}.yaml`)
      await writeFile(file, JSON.stringify(registration))
      return file
    }),
  )
  const server = await startCauseway({ extra: `appservices: ${JSON.stringify(files)}` })
  return {
    url: server.url,
    serverName: server.serverName,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** The homeservers that every journey is made on. */
export const HOSTS: readonly HostKind[] = [
  { name: 'Synapse', start: (appservices) => startSynapse({ appservices }) },
  { name: 'Causeway', start: startOurs },
]

/** The tests try again sooner than people have to, are more patient with a busy machine, and their servers have no limits. */
export function hasten(server: IrcServerOptions): IrcServerOptions {
  return {
    ...server,
    flood: { burst: 1000, perSecond: 20_000, queueLimit: 5000 },
    timing: { backoff: 100, backoffMax: 500, later: 200, delivery: 90_000, reclaim: 500, quit: 10_000 },
    puppets: { ...server.puppets, patienceMs: 120_000 },
  }
}

function ircConfig(server: RunningServer, more: Partial<IrcServerConfig>): IrcServerConfig {
  return {
    ...{
      display_name: '',
      host: server.host,
      port: server.port,
      tls: false,
      nick: 'hub',
      username: 'causeway',
    },
    ...{ realname: 'bridge', user_modes: '', channels: { allow: ['#*'], deny: ['#secret*'] }, mode: 'relay' },
    ...{ membership: 'lazy', consent: 'notify', nick_suffix: '', close_idle_after: 0, absence: 1500 },
    ...{ reactions_as_text: true, topics_to_irc: true, colors: 'numbers', monospace: 'codes' },
    limits: { burst: 5, per_second: 1, connections: 20, lines: 4, links: 100 },
    ...more,
  }
}

export interface HubSetup {
  readonly options: StandaloneOptions
  readonly registration: BridgeRegistration
}

/** Everything a hub needs; `name` sets hubs of one homeserver apart. */
export async function prepareHub(
  host: Pick<Host, 'url' | 'serverName'> | undefined,
  name: string,
  irc: Record<string, IrcServerConfig>,
  folder: string,
): Promise<HubSetup> {
  const port = await freePort()
  const [asToken, hsToken] = [`as-${name}-${systemRandom.token(20)}`, `hs-${name}-${systemRandom.token(20)}`]
  const serverName = host?.serverName ?? 'localhost'
  const bridges: BridgesConfig = {
    ...{ bot: name, bot_name: 'Bridge', ghost_prefix: `_${name}_`, media_links: 3_600_000 },
    ...{ late_after: 900_000, expires_after: 86_400_000, remember: 86_400_000, consent_within: 86_400_000 },
    irc: { servers: irc },
  }
  const url = `http://127.0.0.1:${port}`
  // Spare hubs are away most of the time: nobody waits for what they might know.
  const protocols = name === 'bridge' ? ['irc'] : []
  const ids = { serverName, botLocalpart: name, ghostPrefix: bridges.ghost_prefix, protocols }
  return {
    registration: { ...buildRegistration({ url, asToken, hsToken, ...ids }), id: name } as BridgeRegistration,
    options: {
      ...{ homeserverUrl: host?.url ?? '', serverName, asToken, hsToken, publicUrl: url, bridges },
      registrationId: name,
      listen: { host: '127.0.0.1', port },
      database: { kind: 'sqlite', path: path.join(folder, `${name}.db`) },
    },
  }
}

/** What the hub logged, for when a journey fails. */
export const hubLog: string[] = []

function note(level: string) {
  return (message: string, fields?: Record<string, unknown>): void => {
    const error = fields?.['error']
    const detail = error instanceof Error ? (error.stack ?? error.message) : ''
    hubLog.push(`${level} ${message} ${JSON.stringify({ ...fields, error: undefined })} ${detail}`)
  }
}

/** Starts a hub in this process. */
export function startHubHere(options: StandaloneOptions, clock: Clock = systemClock): Promise<Standalone> {
  const log = { info: note('info'), warn: note('warn'), error: note('error') }
  return startStandalone(options, {
    ...{ clock, random: systemRandom, log, adjustIrc: hasten },
    fetch: globalThis.fetch,
  })
}

/** A homeserver, both kinds of IRC servers, and a hub between them. */
export interface World extends AsyncDisposable {
  readonly host: Host
  readonly hub: Standalone
  readonly botId: string
  readonly irc: { readonly rich: Inspircd; readonly bare: Ngircd }
  /**
   * Hubs for journeys that end them, to be started as children, each for one journey: a homeserver gives one that it
   * found away more and more time.
   */
  readonly spare: { readonly rich: StandaloneOptions; readonly bare: StandaloneOptions }
  person(localpart: string): Promise<MatrixPerson>
  ircPerson(server: 'rich' | 'bare', nick: string): Promise<TestIrcClient>
}

/** How a world differs from the ordinary one. */
export interface WorldOptions {
  /** The hub's; the machine's unless given. */
  readonly clock?: Clock
  /** Of both servers' entries in the hub's configuration. */
  readonly irc?: Partial<IrcServerConfig>
  readonly rich?: InspircdOptions
  readonly bare?: NgircdOptions
  /** Done once the IRC servers run and before the hub does; what it returns lives as long as they. */
  readonly prepare?: (irc: { rich: Inspircd; bare: Ngircd }) => Promise<AsyncDisposable>
}

let people = 0

/** Starts it all, or says why that cannot be done here. */
export async function startWorld(
  kind: HostKind,
  options: WorldOptions = {},
): Promise<World | { readonly skip: string }> {
  if (noIrcServers !== false) return { skip: noIrcServers }
  await using undo = new AsyncDisposableStack()
  const folder = await mkdtemp(path.join(tmpdir(), 'causeway-journey-'))
  undo.defer(() => rm(folder, { recursive: true, force: true }))
  const [rich, bare] = await Promise.all([startInspircd(options.rich), startNgircd(options.bare)])
  undo.use(rich)
  undo.use(bare)
  if (options.prepare !== undefined) undo.use(await options.prepare({ rich, bare }))
  const irc = { rich: ircConfig(rich, options.irc ?? {}), bare: ircConfig(bare, options.irc ?? {}) }
  const spareOf = (name: string): Promise<HubSetup> =>
    prepareHub(
      undefined,
      name,
      { rich: { ...irc.rich, nick: name }, bare: { ...irc.bare, nick: name } },
      folder,
    )
  const [main, spareRich, spareBare] = await Promise.all([
    prepareHub(undefined, 'bridge', irc, folder),
    spareOf('sparerich'),
    spareOf('sparebare'),
  ])
  const host = await kind.start([main.registration, spareRich.registration, spareBare.registration])
  if ('skip' in host) return host
  undo.use(host)
  const at = { homeserverUrl: host.url, serverName: host.serverName }
  const hub = await startHubHere({ ...main.options, ...at }, options.clock)
  undo.defer(() => hub.stop())
  const kept = undo.move()
  const spare = { rich: { ...spareRich.options, ...at }, bare: { ...spareBare.options, ...at } }
  return {
    ...{ host, hub, irc: { rich, bare }, spare },
    botId: `@bridge:${host.serverName}`,
    person: (localpart) => matrixPerson(host.url, `${localpart}${process.pid}x${++people}`),
    ircPerson: (server, nick) =>
      ircClient({ ...{ host: '127.0.0.1', port: { rich, bare }[server].port }, nick }),
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  }
}

/** A room with the bot in it. */
export async function roomWithBot(person: MatrixPerson, botId: string, options = {}): Promise<string> {
  const roomId = await person.createRoom({ invite: [botId], ...options })
  await person.waitFor(
    roomId,
    'the bot entering',
    ({ type, state_key: key, content }) =>
      type === 'm.room.member' && key === botId && content['membership'] === 'join',
  )
  return roomId
}

/** A room that is linked with a channel where the channel need not agree. */
export async function linkedRoom(
  person: MatrixPerson,
  botId: string,
  where: string,
  options = {},
): Promise<string> {
  const roomId = await roomWithBot(person, botId, options)
  await person.say(roomId, `!irc link ${where}`)
  await person.waitFor(roomId, 'the link', ({ content }) =>
    textOf(content['body']).startsWith('Connected with'),
  )
  return roomId
}
