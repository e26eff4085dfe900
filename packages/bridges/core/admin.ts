import { describeLink } from './commands/status.ts'
import type { HubContext } from './hub-context.ts'
import { linkRoom } from './links/link-room.ts'
import type { LinkAnswer, LinkWish } from './links/link-room.ts'
import type { Link } from './links/registry.ts'
import { startUnlink } from './links/unlink.ts'
import { MatrixPortError } from './matrix-port.ts'
import type { MatrixPort } from './matrix-port.ts'

// What an operator of the homeserver may do: the same as people in their rooms, without being asked for power there.
// The channel side is asked as ever.

export interface WhichLinks {
  readonly network?: string | undefined
  readonly server?: string | undefined
  /** As people write it; compared as its network compares names. */
  readonly channel?: string | undefined
}

function isMeant({ networks }: Pick<HubContext, 'networks'>, { portal }: Link, which: WhichLinks): boolean {
  const { network = portal.network, server = portal.server, channel = portal.name } = which
  if (network !== portal.network || server !== portal.server) return false
  const parsed = networks.get(network)?.parseChannel(server, channel)
  // Of a server that is no longer set up, or a channel no longer allowed, the names are all there is.
  if (parsed === undefined || 'refusal' in parsed) return channel.toLowerCase() === portal.name.toLowerCase()
  return parsed.channel === portal.channel
}

/** The links that are meant, in the order they were asked for; without a word: all that are not gone. */
export function listBridges(hub: Pick<HubContext, 'links' | 'networks'>, which: WhichLinks): Link[] {
  const meant = hub.links.all().filter((link) => isMeant(hub, link, which))
  return meant.toSorted((a, b) => a.nid - b.nid)
}

/** How links are doing, a line each. */
export function describeBridges(
  hub: HubContext,
  which: WhichLinks,
): Promise<{ readonly link: Link; readonly health: string }[]> {
  const describe = async (link: Link) => ({ link, health: await describeLink(hub, link) })
  return Promise.all(listBridges(hub, which).map(describe))
}

/** The bot enters where it may; where it may not, the refusal of the link says what to do. */
async function enter(port: MatrixPort, roomId: string): Promise<void> {
  try {
    await port.join(undefined, roomId)
  } catch (error) {
    if (!(error instanceof MatrixPortError) || error.isTemporary) throw error
  }
}

/** Links a room that the bot is in, or may enter, with a channel. `by`: who asked for it, by user id. */
export async function linkBridge(hub: HubContext, wish: Omit<LinkWish, 'isOperator'>): Promise<LinkAnswer> {
  await enter(hub.port, wish.roomId)
  return linkRoom(hub, { ...wish, isOperator: true })
}

/** Ends the link of a channel, and returns it; undefined where there is none. */
export async function unlinkBridge(
  hub: HubContext,
  which: Required<WhichLinks>,
  wish: { readonly by: string; readonly removeGhosts: boolean },
): Promise<Link | undefined> {
  const [link] = listBridges(hub, which)
  if (link !== undefined && link.state !== 'leaving')
    await startUnlink(hub, link, { side: 'matrix', ...wish })
  return link
}
