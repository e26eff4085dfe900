import type { BridgesConfig } from '@causeway/bridges/config.ts'
import { readIrcServers } from '@causeway/bridges/networks/irc/read-config.ts'
import type { HomeserverConfig } from '@causeway/homeserver/config.ts'
import type { ConfigProblem } from '../config/problem.ts'

/** Checks of the bridges over several options. */
export function checkBridgesConfig(
  bridges: BridgesConfig,
  { server_name: serverName }: Pick<HomeserverConfig, 'server_name'>,
): Omit<ConfigProblem, 'source'>[] {
  const problems: Omit<ConfigProblem, 'source'>[] = []
  if (!/^[a-z0-9._=/+-]+$/.test(bridges.bot)) {
    problems.push({ path: ['bridges', 'bot'], message: 'may hold only a-z, 0-9 and ._=-/+' })
  }
  // An id has 255 bytes; a ghost's also names network, server and person.
  if (bridges.ghost_prefix.length + serverName.length > 100) {
    problems.push({ path: ['bridges', 'ghost_prefix'], message: 'is too long beside this server name' })
  }
  for (const [name, server] of Object.entries(bridges.irc.servers)) {
    try {
      readIrcServers({ irc: { servers: { [name]: server } } })
    } catch (cause) {
      const place = ['bridges', 'irc', 'servers', name]
      const message = (cause as Error).message.replace(`${place.join('.')}: `, '')
      problems.push({ path: place, message: `cannot be used: ${message}` })
    }
  }
  return problems
}
