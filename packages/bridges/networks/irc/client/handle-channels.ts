import type { LineContext, Member } from './events.ts'
import type { Handler } from './incoming.ts'
import { isOwnNick } from './incoming.ts'
import { isChannel } from './isupport.ts'
import type { Isupport } from './isupport.ts'
import { parseModes } from './modes.ts'
import type { Session } from './session.ts'
import { parseSource } from './source.ts'

function learnSelf(session: Session, context: LineContext): void {
  session.user = context.from.user ?? session.user
  session.host = context.from.host ?? session.host
}

const onJoin: Handler = (session, { params, context }) => {
  const [channel = '', account] = params
  if (context.own) {
    learnSelf(session, context)
    session.membership.enter(channel)
  }
  if (session.options.observe) session.membership.add(channel, context.from)
  // extended-join: the account is the second parameter, `*` for none.
  const joined = session.capabilities.agreed.has('extended-join') && account !== '*' ? account : undefined
  if (context.own || session.options.observe) {
    session.emit({ type: 'join', ...context, account: context.account ?? joined, channel })
  }
}

const onPart: Handler = (session, { params, context }) => {
  const [channel = '', reason = ''] = params
  if (context.own) session.membership.exit(channel)
  else session.membership.remove(channel, context.from.nick)
  if (context.own || session.options.observe) session.emit({ type: 'part', ...context, channel, reason })
}

/**
 * A server that loses a link says `hub.example leaf.example` for each user behind it; ngIRCd says `hub.example: lost
 * server leaf.example`. People cannot, thanks to "Quit: " or quotation marks.
 */
function looksLikeNetsplit(reason: string): boolean {
  return /^[\w*-]+(?:\.[\w*-]+)+(?: |: lost server )[\w*-]+(?:\.[\w*-]+)+$/.test(reason)
}

const onQuit: Handler = (session, { params, context }) => {
  const reason = params[0] ?? ''
  const channels = session.membership.quit(context.from.nick)
  if (!context.own && !session.options.observe) return
  const isNetsplit = context.batch === 'netsplit' || looksLikeNetsplit(reason)
  session.emit({ type: 'quit', ...context, channels, reason, isNetsplit })
}

const onKick: Handler = (session, { params, context }) => {
  const [channel = '', nick = '', reason = ''] = params
  const isUs = isOwnNick(session, nick)
  if (isUs) session.membership.exit(channel)
  else session.membership.remove(channel, nick)
  if (isUs || session.options.observe) session.emit({ type: 'kick', ...context, channel, nick, isUs, reason })
}

const onNick: Handler = (session, { params, context, answers }) => {
  const nick = params[0] ?? ''
  if (nick === '') return
  // InspIRCd 3 names the *new* nick as the source of a labelled NICK: the label tells that it is ours.
  const own = context.own || answers === 'NICK'
  const from = own ? { ...context.from, nick: session.nick } : context.from
  const channels = session.membership.rename(from.nick, nick)
  if (own) session.nick = nick
  if (own || session.options.observe) session.emit({ type: 'nick', ...context, from, own, nick, channels })
}

const onMode: Handler = (session, { params, context }) => {
  const [channel = '', ...rest] = params
  if (!isChannel(session.isupport, channel)) return
  const changes = parseModes(session.isupport, rest)
  session.membership.applyModes(channel, changes)
  if (session.options.observe) session.emit({ type: 'mode', ...context, channel, changes })
}

const onTopic: Handler = (session, { command, params, context }) => {
  const isChange = command === 'TOPIC'
  const [channel = '', topic = ''] = isChange ? params : params.slice(1)
  if (!session.options.observe) return
  session.emit({ type: 'topic', ...context, channel, topic: command === '331' ? '' : topic, isChange })
}

/** `@+nick!user@host` as multi-prefix and userhost-in-names give it, or less. */
function parseNamesEntry(isupport: Isupport, entry: string): Member {
  const symbols = isupport.prefixes.map((prefix) => prefix.symbol)
  let at = 0
  while (symbols.includes(entry[at] ?? '')) at++
  const { nick, user, host } = parseSource(entry.slice(at))
  return { nick, user, host, ranks: entry.slice(0, at) }
}

const onNames: Handler = (session, { params }) => {
  const channel = params[2] ?? ''
  if (!session.options.observe || !session.membership.has(channel)) return
  for (const entry of (params[3] ?? '').split(' ')) {
    const member = parseNamesEntry(session.isupport, entry)
    if (member.nick === '') continue
    if (isOwnNick(session, member.nick)) {
      session.user = member.user ?? session.user
      session.host = member.host ?? session.host
    }
    session.membership.add(channel, { ...member, isServer: false }, member.ranks)
  }
}

const onEndOfNames: Handler = (session, { params }) => {
  const channel = params[1] ?? ''
  if (!session.options.observe || !session.membership.has(channel)) return
  session.emit({ type: 'names', channel, members: session.membership.members(channel) })
}

const onInvite: Handler = (session, { params, context }) => {
  const [nick = '', channel = ''] = params
  if (isOwnNick(session, nick) || session.options.observe) {
    session.emit({ type: 'invite', ...context, nick, channel })
  }
}

const onChghost: Handler = (session, { params, context }) => {
  const [user = '', host = ''] = params
  session.membership.changeHost(context.from.nick, user, host)
  if (!context.own) return
  session.user = user
  session.host = host
}

export const CHANNEL_HANDLERS: readonly (readonly [string, Handler])[] = [
  ['JOIN', onJoin],
  ['PART', onPart],
  ['QUIT', onQuit],
  ['KICK', onKick],
  ['NICK', onNick],
  ['MODE', onMode],
  ['TOPIC', onTopic],
  ['331', onTopic],
  ['332', onTopic],
  ['353', onNames],
  ['366', onEndOfNames],
  ['INVITE', onInvite],
  ['CHGHOST', onChghost],
]
