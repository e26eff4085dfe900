import type { OutboxRecord } from '@causeway/store/tables/bridge-outbox.ts'
import { runCommand } from './commands/run-command.ts'
import { tellRoom } from './hub-context.ts'
import type { HubContext } from './hub-context.ts'
import { followInvitation, followReplacement } from './links/follow-room.ts'
import { openLink } from './links/open-link.ts'
import type { Link } from './links/registry.ts'
import { runUnlink, startUnlink } from './links/unlink.ts'
import type { MatrixEvent } from './matrix-port.ts'
import { tellTrouble } from './trouble.ts'

function linkMeant(hub: HubContext, payload: string): Link | undefined {
  const { linkNid, portalNid } = JSON.parse(payload) as { linkNid: number; portalNid: number }
  const link = hub.links.ofPortal(portalNid)
  return link?.nid === linkNid ? link : undefined
}

/** The bot was removed from a room: that ends its links. */
async function endLinksOf(hub: HubContext, event: MatrixEvent): Promise<void> {
  for (const link of hub.links.inRoom(event.room_id)) {
    if (link.state !== 'leaving')
      await startUnlink(hub, link, { side: 'matrix', by: event.sender, removeGhosts: true })
  }
}

/** The room became encrypted: what is said in it stays there from now on. */
async function pauseLinksOf(hub: HubContext, event: MatrixEvent): Promise<void> {
  for (const link of hub.links.inRoom(event.room_id)) {
    if (link.state !== 'live') continue
    const text = `This room is encrypted now, so that nothing crosses to ${link.portal.name} any more. End the link with: !${link.portal.network} unlink`
    await tellRoom(hub, event.room_id, text, `encrypted-${link.nid}`)
    await hub.links.advance(link, 'paused')
  }
}

async function enterRoom(hub: HubContext, roomId: string): Promise<void> {
  await hub.port.join(undefined, roomId)
  await followInvitation(hub, roomId)
}

async function followTombstone(hub: HubContext, { room_id: roomId, content }: MatrixEvent): Promise<void> {
  const { replacement_room: replacement } = content
  if (typeof replacement === 'string' && replacement !== '') await followReplacement(hub, roomId, replacement)
}

/** Does one of the hub's own tasks. All may be repeated. True = over; else milliseconds until it is tried again. */
export async function runTask(hub: HubContext, operation: OutboxRecord): Promise<true | number> {
  const { kind, payload } = operation
  if (kind === 'trouble') return tellTrouble(hub, operation)
  if (kind === 'open-link' || kind === 'unlink') {
    const link = linkMeant(hub, payload)
    if (link === undefined) return true
    if (kind === 'open-link') return openLink(hub, link)
    await runUnlink(hub, link)
    return true
  }
  const event = JSON.parse(payload) as MatrixEvent
  if (kind === 'command') await runCommand(hub, event)
  else if (kind === 'invite') await enterRoom(hub, event.room_id)
  else if (kind === 'replaced') await followTombstone(hub, event)
  else if (kind === 'expelled') await endLinksOf(hub, event)
  else if (kind === 'encryption') await pauseLinksOf(hub, event)
  return true
}
