import type { Step } from '@causeway/store/db/database.ts'
import type { HubContext } from '../hub-context.ts'
import type { RemoteEvent } from '../network.ts'
import type { Arrival } from './deliver.ts'

/** Somebody entered the channel: seen in the room where the link shows everybody. */
export async function deliverJoin(
  hub: HubContext,
  { link, event }: Arrival<RemoteEvent & { type: 'join' }>,
): Promise<readonly Step[]> {
  if (link.options.membership === 'eager') await hub.ghosts.ensureInRoom(link, event.person)
  return []
}

/** Somebody left: their ghost does too. */
export async function deliverLeave(
  hub: HubContext,
  { link, event }: Arrival<RemoteEvent & { type: 'leave' }>,
): Promise<readonly Step[]> {
  const { network, server, nid } = link.portal
  const userId = hub.ghostIds.userIdOf(network, server, event.person.id)
  if (userId === undefined || !(await hub.ghosts.members(nid)).has(userId)) return []
  await hub.ghosts.leave(link, userId, event.reason)
  return []
}

/** Somebody goes by another name. Where the name is who they are, one ghost leaves and another comes. */
export async function deliverRename(
  hub: HubContext,
  { link, event }: Arrival<RemoteEvent & { type: 'rename' }>,
): Promise<readonly Step[]> {
  const { network, server, nid } = link.portal
  const from = hub.ghostIds.userIdOf(network, server, event.from.id)
  if (from === undefined || !(await hub.ghosts.members(nid)).has(from)) return []
  if (event.from.id === event.to.id) {
    await hub.ghosts.ensure(link, event.to)
    return []
  }
  await hub.ghosts.ensureInRoom(link, event.to)
  await hub.ghosts.leave(link, from, `is now known as ${event.to.name}`)
  return []
}

/** The whole list: ghosts of people who are gone leave, and everybody comes where the link shows everybody. */
export async function deliverMembers(
  hub: HubContext,
  { link, event }: Arrival<RemoteEvent & { type: 'members' }>,
): Promise<readonly Step[]> {
  const { network, server, nid } = link.portal
  const present = new Set(event.members.map(({ id }) => hub.ghostIds.userIdOf(network, server, id)))
  for (const userId of [...(await hub.ghosts.members(nid))]) {
    if (!present.has(userId)) await hub.ghosts.leave(link, userId, 'is gone')
  }
  if (link.options.membership === 'lazy') return []
  for (const member of event.members) await hub.ghosts.ensureInRoom(link, member)
  return []
}
