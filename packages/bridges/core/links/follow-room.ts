// https://spec.matrix.org/v1.19/client-server-api/#room-upgrades
import { deleteGhostMembers } from '@causeway/store/tables/bridge-ghosts.ts'
import { tellRoom } from '../hub-context.ts'
import type { HubContext } from '../hub-context.ts'
import { MatrixPortError } from '../matrix-port.ts'
import { showBridgeState } from './bridge-state.ts'
import type { Link } from './registry.ts'

/** A content's room id, whoever wrote it. */
const textIn = (content: unknown, key: string): string | undefined => {
  const value = (content as Record<string, unknown> | null | undefined)?.[key]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Whether a room says of itself that it comes after another. */
async function namesAsPredecessor(hub: HubContext, roomId: string, old: string): Promise<boolean> {
  const create = await hub.port.findState(roomId, 'm.room.create', '')
  return textIn(create?.['predecessor'], 'room_id') === old
}

/** The bot enters; false where it may not yet. */
async function enters(hub: HubContext, roomId: string): Promise<boolean> {
  try {
    await hub.port.join(undefined, roomId)
    return true
  } catch (error) {
    if (!(error instanceof MatrixPortError) || error.isTemporary) throw error
    return false
  }
}

/**
 * A room was replaced by another, by the word of both: its links go along, with all that was agreed to. Where the bot may not
 * enter the new room they wait until it is invited; where that room does not come after this one nothing crosses any more,
 * since nobody agreed to it. May be repeated.
 */
export async function followReplacement(hub: HubContext, old: string, roomId: string): Promise<void> {
  if (hub.links.inRoom(old).length === 0) return
  const isIn = await enters(hub, roomId)
  const comesAfter = isIn && (await namesAsPredecessor(hub, roomId, old))
  for (const link of hub.links.inRoom(old)) {
    if (comesAfter) await moveLink(hub, link, roomId)
    else
      await hub.links.advance(link, 'paused', isIn ? link.options : { ...link.options, replacement: roomId })
  }
  if (comesAfter) return
  const reason = isIn
    ? 'does not name this one as the room before it'
    : 'is closed to the bot: invite it there'
  hub.log.warn('links do not follow a room that was replaced', { room: old, replacement: roomId, reason })
}

/** The bot came into a room: perhaps it is one that links wait for. */
export async function followInvitation(hub: HubContext, roomId: string): Promise<void> {
  const create = await hub.port.findState(roomId, 'm.room.create', '')
  const old = textIn(create?.['predecessor'], 'room_id')
  if (old === undefined || hub.links.inRoom(old).length === 0) return
  const tombstone = await hub.port.findState(old, 'm.room.tombstone', '')
  if (textIn(tombstone, 'replacement_room') === roomId) await followReplacement(hub, old, roomId)
}

async function moveLink(hub: HubContext, link: Link, roomId: string): Promise<void> {
  const { portal } = link
  const { replacement, ...options } = link.options
  const state = replacement === undefined ? link.state : 'live'
  // Whose ghosts are in the room is not known of the new one.
  hub.ghosts.forgetRoom(portal.nid)
  const moved = await hub.links.move(link, { roomId, state, options }, [deleteGhostMembers(portal.nid)])
  if (moved?.roomId !== roomId) return
  hub.log.info('a link has followed its room', { roomId, channel: portal.name, server: portal.server })
  if (moved.state !== 'live') return
  await showBridgeState(hub, moved, true)
  const text = `Still connected with ${portal.name} on ${portal.server}.`
  await tellRoom(hub, roomId, text, `moved-${moved.nid}`)
  // Whoever is there is told anew.
  await hub.networks.get(portal.network)?.open(portal, moved.options)
}

/** Whether a link's room was replaced, so that nothing can be said there any more. */
export async function isReplaced(hub: HubContext, { roomId }: Link): Promise<boolean> {
  return textIn(await hub.port.findState(roomId, 'm.room.tombstone', ''), 'replacement_room') !== undefined
}
