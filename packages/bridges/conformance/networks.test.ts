import { systemClock, systemRandom } from '@causeway/store/clock/system.ts'
import { noIrcServers } from '@causeway/testkit/irc/irc-servers.ts'
import { startInspircd } from '@causeway/testkit/irc/inspircd.ts'
import { ircClient } from '@causeway/testkit/irc/irc-client.ts'
import { startNgircd } from '@causeway/testkit/irc/ngircd.ts'
import type { RunningServer } from '@causeway/testkit/irc/server-process.ts'
import { createIrcNetwork } from '../networks/irc/network.ts'
import type { IrcServerOptions } from '../networks/irc/server-options.ts'
import { FakeNetwork } from './fake-network.ts'
import { testNetwork } from './network-suite.ts'
import type { NetworkPerson, NetworkTarget } from './network-suite.ts'

async function fake(): Promise<NetworkTarget> {
  const fakeNetwork = new FakeNetwork()
  const names = new Set<string>()
  return {
    network: fakeNetwork.attach(),
    server: 'local',
    givesIds: true,
    enter: async (channel, name) => {
      fakeNetwork.enter(channel, name)
      names.add(name)
      const heard = (): string[] =>
        (fakeNetwork.lines.get(channel) ?? [])
          .filter((line) => line.author !== name)
          .map(({ text }) => text.replace(/^<.*?> /, ''))
      return {
        name,
        say: (text) => void fakeNetwork.say(channel, name, text),
        heard,
        hear: async (text) => {
          if (!heard().includes(text)) throw new Error(`${text} was not heard`)
        },
        [Symbol.asyncDispose]: async () => fakeNetwork.exit(channel, name),
      }
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}

function optionsFor(server: RunningServer): IrcServerOptions {
  return {
    ...{ name: 'test', displayName: 'Test', dial: { host: server.host, port: server.port }, nick: 'hub' },
    ...{ username: 'hub', realname: 'bridge', channels: { allow: ['#*'], deny: [] }, consent: 'ask' },
    defaults: { mode: 'relay', membership: 'lazy' },
    puppets: { max: 5, suffix: '', idleMs: 0, patienceMs: 90_000 },
    flood: { burst: 1000, perSecond: 20_000, queueLimit: 1000 },
    timing: { backoff: 50, quit: 1_000 },
    ...{ maxLinks: 10, absenceMs: 1_000, maxLines: 4, colors: 'numbers', monospace: 'codes' },
    ...{ tellsReactions: true, setsTopics: false },
  }
}

async function irc(start: () => Promise<RunningServer>, givesIds: boolean): Promise<NetworkTarget> {
  const server = await start()
  const faults: unknown[] = []
  const network = createIrcNetwork({
    ...{ servers: [optionsFor(server)], clock: systemClock, random: systemRandom },
    people: { userIdOf: (_server, { id }) => `@irc_${id}:example.org`, remoteIdOf: () => undefined },
    findAccount: async () => undefined,
    onFault: (cause) => faults.push(cause),
  })
  return {
    network,
    server: 'test',
    givesIds,
    enter: async (channel, name): Promise<NetworkPerson> => {
      const client = await ircClient({ host: server.host, port: server.port, nick: name })
      await client.join(channel)
      const clean = (text: string): string => text.replace(/^<.*?> /, '')
      return {
        name,
        say: (text) => client.say(channel, text),
        heard: () => client.texts(channel).map((text) => clean(text.slice(text.indexOf(': ') + 2))),
        hear: async (text) =>
          void (await client.waitFor('message', (data) => clean(String(data['message'])) === text)),
        [Symbol.asyncDispose]: () => client.quit(),
      }
    },
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      if (faults.length > 0) throw new AggregateError(faults, 'the network reported faults of its own')
    },
  }
}

testNetwork('the fake network', fake)
testNetwork('IRC on InspIRCd', () => irc(startInspircd, true), noIrcServers)
testNetwork('IRC on ngIRCd', () => irc(startNgircd, false), noIrcServers)
