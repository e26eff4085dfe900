import type { GhostIds } from '../ghost-ids.ts'
import { portalLane, roomLane } from '../lanes.ts'
import type { PortalKind, TaskKind } from '../lanes.ts'
import type { Link } from '../links/registry.ts'
import type { MatrixEvent } from '../matrix-port.ts'

/** Key in the content of events made by ghosts: the channel they came from, `network/server/channel`. */
export const ORIGIN_KEY = 'chat.causeway.origin'

export function originOf({ portal }: Pick<Link, 'portal'>): string {
  return `${portal.network}/${portal.server}/${portal.channel}`
}

/** What is to be done about an event. */
export interface Planned {
  readonly lane: string
  /** 0: the hub's own task. */
  readonly portalNid: number
  readonly kind: PortalKind | TaskKind
}

export interface PlanContext {
  /** Links of the event's room. */
  readonly links: readonly Link[]
  readonly botUserId: string
  readonly ghostIds: GhostIds
  readonly networkNames: readonly string[]
}

/** `!irc help`: the words after `!<network>`, with the network; undefined for what is no command. */
export function parseCommand(
  body: unknown,
  networkNames: readonly string[],
): { network: string; words: string[] } | undefined {
  if (typeof body !== 'string' || !body.startsWith('!')) return undefined
  const words = body.slice(1, 1000).trim().split(/\s+/)
  const network = words[0]?.toLowerCase() ?? ''
  return networkNames.includes(network) ? { network, words: words.slice(1) } : undefined
}

const KINDS: ReadonlyMap<string, PortalKind> = new Map<string, PortalKind>([
  ['m.room.message', 'message'],
  ['m.sticker', 'message'],
  ['m.poll.start', 'message'],
  ['org.matrix.msc3381.poll.start', 'message'],
  ['m.reaction', 'reaction'],
  ['m.room.redaction', 'redaction'],
  ['m.room.topic', 'topic'],
])

/** Everything an event gives rise to; nothing for most. Pure: what is needed later is looked up later, in the lane. */
export function planEvent(event: MatrixEvent, context: PlanContext): Planned[] {
  if (event.sender === context.botUserId) return []
  if (event.type === 'm.room.member') return planMember(event, context)
  const task = (kind: TaskKind): Planned[] => [{ lane: roomLane(event.room_id), portalNid: 0, kind }]
  if (event.type === 'm.room.encryption') return context.links.length > 0 ? task('encryption') : []
  if (event.type === 'm.room.tombstone' && event.state_key === '')
    return context.links.length > 0 ? task('replaced') : []
  const isGhost = context.ghostIds.isGhost(event.sender)
  if (event.type === 'm.room.message' && !isGhost && isCommand(event, context)) return task('command')
  const kind = KINDS.get(event.type)
  if (kind === undefined) return []
  return targets(event, context, isGhost).map((link) => toPortal(link, kind))
}

function isCommand({ content }: MatrixEvent, { networkNames }: PlanContext): boolean {
  if (content['msgtype'] !== 'm.text' || content['m.new_content'] !== undefined) return false
  return parseCommand(content['body'], networkNames) !== undefined
}

function toPortal(link: Link, kind: PortalKind): Planned {
  return { lane: portalLane(link.portal.nid), portalNid: link.portal.nid, kind }
}

/** Whether a link was live when an event was sent: nobody agreed to anything before. */
function isLiveFor({ state, options }: Link, { origin_server_ts: sentTs }: MatrixEvent): boolean {
  return state === 'live' && sentTs >= (options.liveTs ?? 0)
}

/** Every live portal of the room except the one it came from. */
function targets(event: MatrixEvent, { links, ghostIds }: PlanContext, isGhost: boolean): Link[] {
  const live = links.filter((link) => isLiveFor(link, event))
  if (!isGhost) return live
  const origin = event.content[ORIGIN_KEY]
  const ghost = ghostIds.parse(event.sender)
  return live.filter((link) => {
    if (typeof origin === 'string') return origin !== originOf(link)
    return ghost?.network !== link.portal.network || ghost.server !== link.portal.server
  })
}

function planMember(event: MatrixEvent, context: PlanContext): Planned[] {
  const { links, botUserId, ghostIds } = context
  const { state_key: userId = '', room_id: roomId, sender, content } = event
  const { membership } = content
  const isRemoval = membership === 'leave' || membership === 'ban'
  if (userId === botUserId) {
    const task = (kind: TaskKind): Planned[] => [{ lane: roomLane(roomId), portalNid: 0, kind }]
    if (membership === 'invite') return task('invite')
    return isRemoval && links.length > 0 ? task('expelled') : []
  }
  const live = links.filter((link) => link.state === 'live')
  if (!ghostIds.isGhost(userId)) {
    return isRemoval || membership === 'join' ? live.map((link) => toPortal(link, 'member')) : []
  }
  if (!isRemoval || ghostIds.isGhost(sender)) return []
  const ghost = ghostIds.parse(userId)
  return live
    .filter(({ portal }) => portal.network === ghost?.network && portal.server === ghost.server)
    .map((link) => toPortal(link, 'moderate'))
}
