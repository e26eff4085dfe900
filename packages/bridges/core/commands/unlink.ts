import { startUnlink } from '../links/unlink.ts'
import { mayBridge } from '../power.ts'
import { linksMeant } from './reply.ts'
import type { RunCommand } from './reply.ts'

/** `unlink [<server>] [<#channel>] [keep-ghosts]`. */
export const unlink: RunCommand = async (hub, request) => {
  const { roomId, sender, words } = request
  const meant = linksMeant(
    hub,
    request,
    words.filter((word) => word !== 'keep-ghosts'),
  )
  const [link] = meant
  if (link === undefined) return 'There is no such link in this room.'
  if (meant.length > 1)
    return `Which one? ${meant.map(({ portal }) => `${portal.server} ${portal.name}`).join(', ')}`
  if (!(await mayBridge(hub.port, roomId, sender)))
    return 'That takes the power to change the room’s settings (to send m.bridge).'
  await startUnlink(hub, link, { side: 'matrix', by: sender, removeGhosts: !words.includes('keep-ghosts') })
  return `Leaving ${link.portal.name} …`
}
