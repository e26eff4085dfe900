import { listConsents } from '@causeway/store/tables/bridge-links.ts'
import type { ConsentRecord } from '@causeway/store/tables/bridge-links.ts'
import { describeLink } from './commands/status.ts'
import type { HubContext } from './hub-context.ts'
import { linkRoom } from './links/link-room.ts'
import type { LinkAnswer, LinkWish } from './links/link-room.ts'
import type { Link } from './links/registry.ts'
import { startUnlink } from './links/unlink.ts'

// What an operator of the homeserver may do: the same as people in their rooms, without being asked for power there.
// The channel side is asked as ever.

/** A link as an operator sees it. */
export interface LinkReport {
  readonly link: Link
  /** How it is doing, in one line. */
  readonly health: string
  readonly consents: readonly ConsentRecord[]
}

/** All links that are not gone, with how they are doing and who agreed to them. */
export async function listBridges(hub: HubContext): Promise<LinkReport[]> {
  return Promise.all(
    hub.links.all().map(async (link) => ({
      link,
      health: await describeLink(hub, link),
      consents: await listConsents(hub.db, link.nid),
    })),
  )
}

/** Links a room, in which the bot has to be, with a channel. `by`: the operator's user id. */
export function linkBridge(hub: HubContext, wish: Omit<LinkWish, 'isOperator'>): Promise<LinkAnswer> {
  return linkRoom(hub, { ...wish, isOperator: true })
}

/** Ends a link, named by its channel. False where there is none. */
export async function unlinkBridge(
  hub: HubContext,
  target: { readonly network: string; readonly server: string; readonly channel: string },
  wish: { readonly by: string; readonly removeGhosts: boolean },
): Promise<boolean> {
  const parsed = hub.networks.get(target.network)?.parseChannel(target.server, target.channel)
  const channel = parsed !== undefined && 'channel' in parsed ? parsed.channel : target.channel.toLowerCase()
  const link = hub.links.find(target.network, target.server, channel)
  if (link === undefined) return false
  if (link.state !== 'leaving') await startUnlink(hub, link, { side: 'matrix', ...wish })
  return true
}
