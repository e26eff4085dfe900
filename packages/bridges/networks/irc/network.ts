import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import type { People } from '../../core/ghost-ids.ts'
import type { Account, Network, RemoteServer } from '../../core/network.ts'
import { parseChannelName } from './channel-names.ts'
import { DEFAULT_ISUPPORT } from './client/isupport.ts'
import { IrcServer } from './server.ts'
import type { IrcServerOptions } from './server-options.ts'

export interface IrcNetworkDeps {
  readonly servers: readonly IrcServerOptions[]
  readonly clock: Clock
  readonly random: Random
  readonly people: People
  readonly findAccount: (server: string, userId: string) => Promise<Account | undefined>
  /** Told of faults of ours, for the log. */
  readonly onFault: (cause: unknown) => void
}

function describeServer(options: IrcServerOptions): RemoteServer {
  const { name, displayName, defaults, consent, maxLinks, absenceMs } = options
  return { name, displayName, defaults, consent, maxLinks, absenceMs }
}

/** IRC, with every server that the operator set up. */
export function createIrcNetwork(deps: IrcNetworkDeps): Network {
  const options = new Map(deps.servers.map((one) => [one.name, one]))
  const servers = new Map(
    deps.servers.map((one) => {
      const findAccount = (userId: string): Promise<Account | undefined> => deps.findAccount(one.name, userId)
      return [one.name, new IrcServer({ ...deps, options: one, findAccount })]
    }),
  )
  const of = (name: string): IrcServer => {
    const server = servers.get(name)
    if (server === undefined) throw new Error(`no IRC server ${name} is set up`)
    return server
  }
  return {
    name: 'irc',
    displayName: 'IRC',
    servers: new Map(deps.servers.map((one) => [one.name, describeServer(one)])),
    start: (sink) => {
      for (const server of servers.values()) server.start(sink)
    },
    stop: async () => {
      await Promise.all([...servers.values()].map((server) => server.stop()))
    },
    parseChannel: (server, text) => {
      const found = options.get(server)
      if (found === undefined) return { refusal: `there is no server “${server}” here` }
      return parseChannelName(text, found.channels, of(server).isupport ?? DEFAULT_ISUPPORT)
    },
    open: async (portal, options, resumption) => of(portal.server).open(portal, options, resumption),
    close: async (portal, reason) => servers.get(portal.server)?.close(portal, reason),
    connect: async (portal, speaker, link) => of(portal.server).connect(portal, speaker, link),
    part: async (portal, userId, reason) => servers.get(portal.server)?.part(portal, userId, reason),
    rename: async (server, userId, name) => servers.get(server)?.rename(userId, name),
    setNick: async (server, userId, nick) => of(server).setNick(userId, nick),
    lookups: {
      channelField: 'channel',
      personField: 'nickname',
      fieldTypes: {
        network: { regexp: '[a-z0-9.-]+', placeholder: 'libera' },
        channel: { regexp: '[#&+!][^\\s,]+', placeholder: '#channel' },
        nickname: { regexp: '[^\\s,!@:#&]+', placeholder: 'nick' },
      },
      personId: (server, name) => of(server).personId(name),
    },
    describe: (portal) => servers.get(portal.server)?.describe(portal) ?? 'its server is not set up here',
  }
}
