import type { HubContext } from '../hub-context.ts'
import type { Portal, RemoteCommand } from '../network.ts'
import { goLive, refuseLink } from './open-link.ts'
import type { Link } from './registry.ts'
import { sayInChannel } from './say-in-channel.ts'
import { startUnlink } from './unlink.ts'

const HELP =
  'I connect this channel with a Matrix room. !bridge status; for channel operators: !bridge accept, !bridge refuse, !unbridge (add “keep” to leave our people’s shadows in the Matrix room).'

function statusOf(link: Link): string {
  const asked = link.state === 'consenting' ? ' Channel operators: !bridge accept or !bridge refuse.' : ''
  return `Matrix room ${link.roomId}, asked for by ${link.requestedBy}: ${link.state}.${asked}`
}

async function answer(hub: HubContext, link: Link, command: RemoteCommand): Promise<string | undefined> {
  const [verb = 'help', ...more] = command.words
  if (verb === 'status') return statusOf(link)
  if (!['accept', 'refuse', 'unbridge'].includes(verb)) return HELP
  if (!command.isModerator) return `${command.author.name}: that is for channel operators to decide.`
  const who = `${command.author.name} (${link.portal.name})`
  if (verb === 'accept') {
    if (link.state !== 'consenting') return statusOf(link)
    await goLive(hub, link, { who, proof: 'a channel operator said so in the channel' })
  } else if (verb === 'refuse') {
    if (link.state !== 'consenting') return `${statusOf(link)} !unbridge ends it.`
    await refuseLink(hub, link, who)
  } else await startUnlink(hub, link, { side: 'remote', by: who, removeGhosts: !more.includes('keep') })
  return undefined
}

/** Words said to the bridge in a channel: the channel's people decide there, not on Matrix. */
export async function receiveRemoteCommand(
  hub: HubContext,
  portal: Portal,
  command: RemoteCommand,
): Promise<void> {
  const link = hub.links.ofPortal(portal.nid)
  if (link === undefined || link.state === 'leaving') return
  const text = await answer(hub, link, command)
  if (text !== undefined) await sayInChannel(hub, link, text)
}
