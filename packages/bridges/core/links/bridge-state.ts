import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { HubContext } from '../hub-context.ts'
import { MatrixPortError } from '../matrix-port.ts'
import type { Link } from './registry.ts'

/** MSC2346, under its own name and the one that clients know so far. */
const TYPES = ['m.bridge', 'uk.half-shot.bridge'] as const

function contentOf(hub: HubContext, { portal, requestedBy }: Link): JsonObject {
  const network = hub.networks.get(portal.network)
  const server = network?.servers.get(portal.server)
  return {
    bridgebot: hub.port.botUserId,
    creator: requestedBy,
    protocol: { id: portal.network, displayname: network?.displayName ?? portal.network },
    network: { id: portal.server, displayname: server?.displayName ?? portal.server },
    channel: { id: portal.channel, displayname: portal.name },
  }
}

/**
 * Shows in the room's state that it is bridged, or no more. Returns false where the bot lacks the power for it, which
 * is no obstacle to bridging.
 */
export async function showBridgeState(hub: HubContext, link: Link, isLinked: boolean): Promise<boolean> {
  const { portal, roomId } = link
  const stateKey = `causeway://${portal.network}/${portal.server}/${encodeURIComponent(portal.channel)}`
  const content = isLinked ? contentOf(hub, link) : {}
  try {
    for (const type of TYPES) await hub.port.setState(undefined, { roomId, type, stateKey, content })
    return true
  } catch (error) {
    if (error instanceof MatrixPortError && !error.isTemporary) return false
    throw error
  }
}
