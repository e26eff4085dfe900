import { findBridgeAccount } from '@causeway/store/tables/bridge-accounts.ts'
import type { HubContext } from '../hub-context.ts'
import type { Link } from '../links/registry.ts'
import type { MatrixEvent } from '../matrix-port.ts'
import type { Connection } from '../network.ts'

function reasonOf({ content, sender, state_key: userId }: MatrixEvent): string {
  const reason = typeof content['reason'] === 'string' ? content['reason'] : ''
  if (sender === userId) return reason === '' ? 'left the room' : reason
  const verb = content['membership'] === 'ban' ? 'banned' : 'removed'
  return `${verb} on Matrix${reason === '' ? '' : `: ${reason}`}`
}

/** A Matrix user came, went or changed names: their own connection follows. */
export async function followMember(hub: HubContext, link: Link, event: MatrixEvent): Promise<void> {
  const network = hub.networks.get(link.portal.network)
  const { state_key: userId = '', content } = event
  if (network === undefined) return
  if (content['membership'] !== 'join') return network.part(link.portal, userId, reasonOf(event))
  const name = content['displayname']
  if (typeof name !== 'string') return
  const { server, network: networkName } = link.portal
  const account = await findBridgeAccount(hub.db, networkName, server, userId)
  // Who chose a nick keeps it.
  if (account === undefined || account.nick === '') await network.rename(server, userId, name)
}

/** A ghost was removed from the room: as parts that remove the person from the channel, where the network can. */
export async function renderModeration(
  hub: HubContext,
  event: MatrixEvent,
  connection: Connection,
): Promise<readonly string[]> {
  const { state_key: userId = '' } = event
  const remoteId = hub.ghostIds.parse(userId)?.remoteId
  if (remoteId === undefined || connection.moderation === undefined) return []
  const ghost = await hub.ghosts.find(userId)
  const person = { id: remoteId, name: ghost?.displayName ?? remoteId }
  const act = event.content['membership'] === 'ban' ? 'ban' : 'kick'
  return connection.moderation.render(act, person, reasonOf(event))
}
