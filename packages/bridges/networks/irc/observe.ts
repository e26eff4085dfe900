import type { Portal, RemoteEvent, RemotePerson, RemoteSink } from '../../core/network.ts'
import type {
  IrcEvent,
  KickEvent,
  ModeEvent,
  NickEvent,
  QuitEvent,
  TagEvent,
  TextEvent,
} from './client/events.ts'
import { matchesGlob } from './channel-names.ts'
import { fromIrc } from './from-irc.ts'
import type { Person } from './from-irc.ts'

/** What the observer of a server asks about it. */
export interface Observed {
  readonly sink: RemoteSink
  /** The portal of a channel we are in. */
  portalOf(channel: string): Portal | undefined
  fold(nick: string): string
  /** The Matrix user that speaks under a nick through us; `''` for the bot itself. */
  ownerOf(nick: string): string | undefined
  personOf(channel: string, nick: string): Person | undefined
  isOperator(channel: string, nick: string): boolean
  /** Our people in a channel, with what the server calls them. */
  ownMembers(channel: string): readonly { readonly userId: string; readonly mask: string }[]
  learnNick(userId: string, nick: string): void
  /** Looks later who did not come back. */
  reconcileLater(portal: Portal): void
  /** Where to go on after an event, where the server keeps what was said. */
  cursorOf(event: TextEvent): string | undefined
}

function personOf(observed: Observed, nick: string): RemotePerson {
  return { id: observed.fold(nick), name: nick }
}

/** `!bridge accept` → `accept`; `!unbridge keep` → `unbridge`, `keep`. */
export function parseBridgeCommand(text: string): string[] | undefined {
  const match = /^!(bridge|unbridge)(?:\s+(.*))?$/is.exec(text.trim().slice(0, 200))
  if (match === null) return undefined
  const words = (match[2] ?? '')
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
  return match[1]?.toLowerCase() === 'unbridge' ? ['unbridge', ...words] : words
}

function onText(observed: Observed, event: TextEvent, isHistory: boolean): void {
  const { channel, from } = event
  const portal = channel === undefined ? undefined : observed.portalOf(channel)
  // What only operators shall see, and what servers say, is not for the room.
  if (portal === undefined || channel === undefined || event.status !== '' || from.isServer) return
  if (event.own || observed.ownerOf(from.nick) !== undefined) return
  const author = personOf(observed, from.nick)
  const words = event.type === 'message' ? parseBridgeCommand(event.text) : undefined
  if (words !== undefined) {
    // What was asked of us while we were away is not obeyed later: who asked has seen that nothing happened.
    if (isHistory) return
    observed.sink.command(portal, { author, words, isModerator: observed.isOperator(channel, from.nick) })
    return
  }
  const cursor = observed.cursorOf(event)
  const doc = fromIrc(event.text, { personOf: (nick) => observed.personOf(channel, nick) })
  observed.sink.receive(portal, {
    ...{ type: 'message', author, doc, kind: event.type === 'message' ? 'text' : event.type },
    ...(event.msgid === undefined ? {} : { id: event.msgid }),
    ...(event.time === undefined ? {} : { time: event.time }),
    ...(event.replyTo === undefined ? {} : { replyTo: event.replyTo }),
    ...(cursor === undefined ? {} : { cursor }),
    ...(isHistory ? { isHistory } : {}),
  })
}

function onTags(observed: Observed, event: TagEvent): void {
  const { channel, from, replyTo, react, unreact } = event
  const portal = channel === undefined ? undefined : observed.portalOf(channel)
  const key = react ?? unreact
  if (portal === undefined || replyTo === undefined || key === undefined || event.status !== '') return
  if (event.own || observed.ownerOf(from.nick) !== undefined) return
  observed.sink.receive(portal, {
    ...{ type: 'reaction', author: personOf(observed, from.nick), target: replyTo, key },
    isRemoval: react === undefined,
    ...(event.msgid === undefined ? {} : { id: event.msgid }),
  })
}

function onQuit(observed: Observed, event: QuitEvent): void {
  if (event.own || observed.ownerOf(event.from.nick) !== undefined) return
  for (const channel of event.channels) {
    const portal = observed.portalOf(channel)
    if (portal === undefined) continue
    // Half the network may be back in a minute: no storm of leaving and joining.
    if (event.isNetsplit) observed.reconcileLater(portal)
    else {
      const person = personOf(observed, event.from.nick)
      observed.sink.receive(portal, { type: 'leave', person, reason: event.reason })
    }
  }
}

function onNick(observed: Observed, event: NickEvent): void {
  const owner = observed.ownerOf(event.from.nick)
  // The observer may see it before the one concerned does.
  if (owner !== undefined) observed.learnNick(owner, event.nick)
  if (event.own || owner !== undefined || observed.ownerOf(event.nick) !== undefined) return
  const [from, to] = [personOf(observed, event.from.nick), personOf(observed, event.nick)]
  for (const channel of event.channels) {
    const portal = observed.portalOf(channel)
    if (portal !== undefined) observed.sink.receive(portal, { type: 'rename', from, to })
  }
}

function onKick(observed: Observed, event: KickEvent): void {
  const portal = observed.portalOf(event.channel)
  if (portal === undefined) return
  const by = event.from.nick
  if (event.isUs) {
    observed.sink.lost(portal, `${by} removed the bridge${event.reason === '' ? '' : ` (${event.reason})`}`)
    return
  }
  // Ours came from Matrix, where it is done already.
  if (event.own) return
  const owner = observed.ownerOf(event.nick)
  const person = owner === undefined ? personOf(observed, event.nick) : { userId: owner }
  observed.sink.receive(portal, { type: 'kick', person, by, reason: event.reason })
}

/** People a ban mask means: those of ours it matches, and the one whose nick it spells out. */
function banned(observed: Observed, channel: string, mask: string): (RemotePerson | { userId: string })[] {
  const folded = observed.fold(mask)
  const own = observed
    .ownMembers(channel)
    .filter((member) => matchesGlob(folded, observed.fold(member.mask)))
    .map(({ userId }) => ({ userId }))
  const nick = /^([^*?!]+)!\*@\*$/.exec(mask)?.[1]
  if (nick === undefined || observed.ownerOf(nick) !== undefined) return own
  return [...own, personOf(observed, nick)]
}

function onMode(observed: Observed, event: ModeEvent): void {
  const portal = observed.portalOf(event.channel)
  if (portal === undefined || event.own) return
  for (const { mode, kind, set, argument } of event.changes) {
    if (mode !== 'b' || kind !== 'list' || argument === undefined) continue
    for (const person of banned(observed, event.channel, argument)) {
      const type = set ? 'ban' : 'unban'
      observed.sink.receive(portal, { type, person, by: event.from.nick, reason: '' })
    }
  }
}

function onChannelEvent(observed: Observed, event: IrcEvent & { channel: string }): RemoteEvent | undefined {
  switch (event.type) {
    case 'join':
      if (event.own || observed.ownerOf(event.from.nick) !== undefined) return undefined
      return { type: 'join', person: personOf(observed, event.from.nick) }
    case 'part':
      if (event.own || observed.ownerOf(event.from.nick) !== undefined) return undefined
      return { type: 'leave', person: personOf(observed, event.from.nick), reason: event.reason }
    case 'topic': {
      if (!event.isChange || event.own) return undefined
      const by = event.from.isServer ? {} : { by: personOf(observed, event.from.nick) }
      return { type: 'topic', topic: event.topic, ...by }
    }
    default:
      return undefined
  }
}

/** Tells the hub what the bot's connection sees in channels; own words and own people's are not news. */
export function observeEvent(observed: Observed, event: IrcEvent, isHistory = false): void {
  switch (event.type) {
    case 'message':
    case 'notice':
    case 'action':
      return onText(observed, event, isHistory)
    case 'tagmsg':
      return onTags(observed, event)
    case 'quit':
      return onQuit(observed, event)
    case 'nick':
      return onNick(observed, event)
    case 'kick':
      return onKick(observed, event)
    case 'mode':
      return onMode(observed, event)
    case 'join':
    case 'part':
    case 'topic': {
      const portal = observed.portalOf(event.channel)
      const seen = portal === undefined ? undefined : onChannelEvent(observed, event)
      if (portal !== undefined && seen !== undefined) observed.sink.receive(portal, seen)
      return undefined
    }
    default:
      return undefined
  }
}
