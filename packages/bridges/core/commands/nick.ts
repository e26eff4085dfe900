import { findAccount, saveAccount } from '../accounts.ts'
import type { HubContext } from '../hub-context.ts'
import { linksMeant } from './reply.ts'
import type { CommandRequest, RunCommand } from './reply.ts'

function serverMeant(hub: HubContext, request: CommandRequest, named: string | undefined): string[] {
  if (named !== undefined) return [named]
  return [...new Set(linksMeant(hub, request, []).map(({ portal }) => portal.server))]
}

/** `nick [<server>] <nick>`. */
export const nick: RunCommand = async (hub, request) => {
  const { network: networkName, sender, words } = request
  const wanted = words.at(-1)
  const network = hub.networks.get(networkName)
  if (wanted === undefined || words.length > 2) return `Like this: !${networkName} nick <nick>`
  if (network?.setNick === undefined) return 'There people have no nicks of their own.'
  const servers = serverMeant(hub, request, words.length === 2 ? words[0] : undefined)
  const [server] = servers
  if (server === undefined || servers.length > 1)
    return `On which server? !${networkName} nick <server> ${wanted}`
  if (!network.servers.has(server)) return `There is no server “${server}” here.`
  const refusal = await network.setNick(server, sender, wanted)
  if (refusal !== undefined) return `Not changed: ${refusal}.`
  const key = { network: networkName, server, userId: sender }
  const deps = { ...hub, sealKey: hub.settings.sealKey }
  await saveAccount(deps, key, { ...(await findAccount(deps, key)), nick: wanted })
  return `You are ${wanted} on ${server}.`
}
