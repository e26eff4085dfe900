import { countOperations } from '@causeway/store/tables/bridge-outbox.ts'
import type { HubContext } from '../hub-context.ts'
import { portalLane } from '../lanes.ts'
import type { Link } from '../links/registry.ts'
import type { RunCommand } from './reply.ts'

/** One line on a link, for people. */
export async function describeLink(hub: HubContext, link: Link): Promise<string> {
  const { portal, state, options } = link
  const counts = await countOperations(hub.db, portalLane(portal.nid))
  const waiting = (counts.get('ready') ?? 0) + (counts.get('attempting') ?? 0)
  const parts = [
    `${portal.name} on ${portal.server}: ${state}, ${options.mode}, ${options.membership}`,
    hub.networks.get(portal.network)?.describe(portal) ?? 'its network is not set up here',
    `${waiting} waiting`,
  ]
  const uncertain = counts.get('uncertain') ?? 0
  const refused = counts.get('refused') ?? 0
  if (uncertain > 0) parts.push(`${uncertain} perhaps not delivered`)
  if (refused > 0) parts.push(`${refused} not delivered`)
  return parts.join('; ')
}

/** `status`. */
export const status: RunCommand = async (hub, { roomId, network }) => {
  const links = hub.links.inRoom(roomId)
  if (links.length === 0) return `This room is not linked. !${network} link <server> <#channel>`
  return (await Promise.all(links.map((link) => describeLink(hub, link)))).join('\n')
}
