import { deleteCursor } from '@causeway/store/tables/bridge-cursors.ts'
import { deleteGhostMembers } from '@causeway/store/tables/bridge-ghosts.ts'
import { deleteInbox } from '@causeway/store/tables/bridge-inbox.ts'
import { insertConsent } from '@causeway/store/tables/bridge-links.ts'
import { deleteLane, insertOperation } from '@causeway/store/tables/bridge-outbox.ts'
import { commitSteps, tellRoom } from '../hub-context.ts'
import type { HubContext } from '../hub-context.ts'
import { linkLane, portalLane } from '../lanes.ts'
import { MatrixPortError } from '../matrix-port.ts'
import { showBridgeState } from './bridge-state.ts'
import { sayInChannel } from './say-in-channel.ts'
import type { Link } from './registry.ts'

export interface UnlinkWish {
  readonly side: 'matrix' | 'remote'
  readonly by: string
  /** False: ghosts stay in the room as silent members. */
  readonly removeGhosts: boolean
}

/** Begins to take a link apart. Nothing crosses from this moment on; the rest is a job that survives our end. */
export async function startUnlink(hub: HubContext, link: Link, wish: UnlinkWish): Promise<void> {
  const { side, by, removeGhosts } = wish
  const now = hub.clock.now()
  const lane = linkLane(link.nid)
  const operation = insertOperation({
    ...{ nid: hub.numbers.outbox(), lane, portalNid: 0, roomId: link.roomId, eventId: '', kind: 'unlink' },
    ...{ payload: JSON.stringify({ linkNid: link.nid, portalNid: link.portal.nid }), createdTs: now },
  })
  const consent = { linkNid: link.nid, ts: now, side, who: by, answer: 'ended', proof: 'asked for it' }
  const options = { ...link.options, leaving: { by, removeGhosts } }
  await hub.links.advance(link, 'leaving', options, [operation, insertConsent(consent)])
  hub.wake(lane)
}

async function tellBothSides(hub: HubContext, link: Link): Promise<void> {
  const by = link.options.leaving?.by ?? 'an administrator'
  await sayInChannel(hub, link, `This channel is no longer connected with Matrix (ended by ${by}).`)
  try {
    await tellRoom(
      hub,
      link.roomId,
      `No longer connected with ${link.portal.name} (ended by ${by}).`,
      `end-${link.nid}`,
    )
  } catch (error) {
    // The bot may have been thrown out: that is how the room ended it.
    if (!(error instanceof MatrixPortError) || error.isTemporary) throw error
  }
}

/** Takes a link apart; every step may be repeated, so that it goes on where it was interrupted. */
export async function runUnlink(hub: HubContext, link: Link): Promise<void> {
  const { portal, options } = link
  await commitSteps(hub, [deleteLane(portalLane(portal.nid)), deleteInbox(portal.nid)])
  await tellBothSides(hub, link)
  await hub.networks.get(portal.network)?.close(portal, 'the bridge was ended')
  // What was heard last may still be bringing its ghost into the room.
  await hub.settlePortal(portal.nid)
  if (options.leaving?.removeGhosts !== false) {
    for (const userId of [...(await hub.ghosts.members(portal.nid))]) {
      await hub.ghosts.leave(link, userId, `no longer connected with ${portal.name}`)
    }
  }
  await showBridgeState(hub, link, false)
  hub.ghosts.forgetPortal(portal.nid)
  await hub.links.advance(link, 'gone', options, [deleteGhostMembers(portal.nid), deleteCursor(portal.nid)])
  hub.log.info('a link is gone', { roomId: link.roomId, channel: portal.name, server: portal.server })
}
