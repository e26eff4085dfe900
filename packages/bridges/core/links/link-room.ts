import { insertConsent } from '@causeway/store/tables/bridge-links.ts'
import { insertOperation } from '@causeway/store/tables/bridge-outbox.ts'
import type { HubContext } from '../hub-context.ts'
import { linkLane } from '../lanes.ts'
import { MatrixPortError } from '../matrix-port.ts'
import type { LinkOptions } from '../network.ts'
import { mayBridge } from '../power.ts'
import type { Link } from './registry.ts'

export interface LinkWish {
  readonly roomId: string
  readonly network: string
  readonly server: string
  /** As people write it. */
  readonly channel: string
  /** Who wants it: a user id. */
  readonly by: string
  /** Absent: as the server's configuration says. */
  readonly mode?: LinkOptions['mode']
  readonly membership?: LinkOptions['membership']
  /** An operator of the homeserver decides: their power in the room is not asked for. */
  readonly isOperator?: boolean
}

export type LinkAnswer = { readonly link: Link } | { readonly refusal: string }

async function refusalByRoom(hub: HubContext, wish: LinkWish): Promise<string | undefined> {
  const { port } = hub
  try {
    if ((await port.findState(wish.roomId, 'm.room.create', '')) === undefined)
      return `invite ${port.botUserId} into the room first`
    if ((await port.findState(wish.roomId, 'm.room.encryption', '')) !== undefined)
      return 'the room is encrypted: nobody outside could read along, and that is how its people want it'
  } catch (error) {
    if (error instanceof MatrixPortError && !error.isTemporary)
      return `invite ${port.botUserId} into the room first`
    throw error
  }
  if (wish.isOperator === true || (await mayBridge(port, wish.roomId, wish.by))) return undefined
  return 'that takes the power to change the room’s settings (to send m.bridge)'
}

/** Proposes to link a room with a channel; what follows (entering it, asking there) is a job. */
export async function linkRoom(hub: HubContext, wish: LinkWish): Promise<LinkAnswer> {
  const network = hub.networks.get(wish.network)
  const server = network?.servers.get(wish.server)
  if (network === undefined || server === undefined) {
    const known = [...(network?.servers.keys() ?? [])].join(', ')
    return { refusal: `there is no server “${wish.server}” here; there is: ${known}` }
  }
  const parsed = network.parseChannel(wish.server, wish.channel)
  if ('refusal' in parsed) return parsed
  const taken = hub.links.find(wish.network, wish.server, parsed.channel)
  if (taken !== undefined) {
    const where = taken.roomId === wish.roomId ? 'this room' : 'another room'
    return { refusal: `${parsed.name} is already linked with ${where} (${taken.state})` }
  }
  const count = hub.links.all().filter(({ portal }) => portal.server === wish.server).length
  if (count >= server.maxLinks)
    return { refusal: `no more than ${server.maxLinks} channels may be linked there` }
  const refusal = await refusalByRoom(hub, wish)
  return refusal === undefined ? propose(hub, wish, parsed, server.defaults) : { refusal }
}

async function propose(
  hub: HubContext,
  wish: LinkWish,
  parsed: { channel: string; name: string },
  defaults: LinkOptions,
): Promise<LinkAnswer> {
  const { roomId, by, network, server } = wish
  const now = hub.clock.now()
  const options: LinkOptions = {
    mode: wish.mode ?? defaults.mode,
    membership: wish.membership ?? defaults.membership,
  }
  const channel = { network, server, ...parsed }
  const proof = wish.isOperator === true ? 'operator of the homeserver' : 'power level in the room'
  const link = await hub.links.propose(
    channel,
    { roomId, options, requestedBy: by },
    (linkNid, portalNid) => [
      insertConsent({ linkNid, ts: now, side: 'matrix', who: by, answer: 'agreed', proof }),
      insertOperation({
        ...{ nid: hub.numbers.outbox(), lane: linkLane(linkNid), portalNid: 0, roomId, eventId: '' },
        ...{ kind: 'open-link', payload: JSON.stringify({ linkNid, portalNid }), createdTs: now },
      }),
    ],
  )
  if (link === undefined) return { refusal: `${parsed.name} is already linked` }
  hub.wake(linkLane(link.nid))
  return { link }
}
