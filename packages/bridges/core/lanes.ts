/** Names of lanes. Each is worked off in strict order; lanes run beside one another. */
export const portalLane = (portalNid: number): string => `portal:${portalNid}`
/** What the hub itself has to do for a room: commands, invitations. */
export const roomLane = (roomId: string): string => `room:${roomId}`
/** Making and taking apart of a link. */
export const linkLane = (linkNid: number): string => `link:${linkNid}`

/** What people of a room have to be told of messages that did not get through to a portal, or perhaps not. */
export const troubleLane = (portalNid: number, kind: string): string => `trouble:${kind}:${portalNid}`

/** Kinds of operations toward a portal. */
export type PortalKind = 'message' | 'reaction' | 'redaction' | 'member' | 'moderate' | 'topic'
/** Kinds of the hub's own tasks. */
export type TaskKind =
  | 'command'
  | 'invite'
  | 'expelled'
  | 'encryption'
  | 'replaced'
  | 'open-link'
  | 'unlink'
  | 'trouble'

const PORTAL_KINDS: readonly string[] = ['message', 'reaction', 'redaction', 'member', 'moderate', 'topic']

export function isPortalKind(kind: string): kind is PortalKind {
  return PORTAL_KINDS.includes(kind)
}
