import type { TextTarget } from './events.ts'
import type { Handler, Incoming } from './incoming.ts'
import { isChannel, splitStatus } from './isupport.ts'
import type { Tags } from './message.ts'
import type { Session } from './session.ts'

const CTCP = '\u0001'

function readTarget(session: Session, target: string): TextTarget {
  const [status, bare] = splitStatus(session.isupport, target)
  return { target, status, channel: isChannel(session.isupport, bare) ? bare : undefined }
}

function replyTarget(tags: Tags): string | undefined {
  return tags.get('+draft/reply') ?? tags.get('+reply')
}

/** An echo settles the line it stands for and is not an event; true where it did. */
function settleEcho(session: Session, incoming: Incoming): boolean {
  const { command, params, context } = incoming
  if (!context.own || !session.capabilities.agreed.has('echo-message')) return false
  const target = session.membership.fold(params[0] ?? '')
  const delivery = session.deliveries.findEcho(command, target, params.at(-1) ?? '')
  if (delivery === undefined) return false
  session.deliveries.settle(delivery, { kind: 'echoed', msgid: context.msgid, time: context.time })
  return true
}

function emitText(session: Session, { command, params, context }: Incoming, where: TextTarget): void {
  const text = params[1] ?? ''
  const isNotice = command === 'NOTICE'
  if (!text.startsWith(CTCP)) {
    const type = isNotice ? 'notice' : 'message'
    session.emit({ type, ...context, ...where, text, replyTo: replyTarget(context.tags) })
    return
  }
  const body = text.slice(1, text.length > 1 && text.endsWith(CTCP) ? -1 : undefined)
  const space = body.indexOf(' ')
  const verb = (space === -1 ? body : body.slice(0, space)).toUpperCase()
  const rest = space === -1 ? '' : body.slice(space + 1)
  if (verb === 'ACTION' && !isNotice) {
    session.emit({ type: 'action', ...context, ...where, text: rest, replyTo: replyTarget(context.tags) })
  } else session.emit({ type: 'ctcp', ...context, ...where, verb, text: rest, isReply: isNotice })
}

const onText: Handler = (session, incoming) => {
  const where = readTarget(session, incoming.params[0] ?? '')
  // Before registration a server's notices are addressed to nobody ("*** Looking up your hostname").
  if (session.state !== 'registered' || settleEcho(session, incoming)) return
  if (where.channel === undefined || session.options.observe) emitText(session, incoming, where)
}

const onTagmsg: Handler = (session, incoming) => {
  const { context, params } = incoming
  const where = readTarget(session, params[0] ?? '')
  if (session.state !== 'registered' || settleEcho(session, incoming)) return
  if (where.channel !== undefined && !session.options.observe) return
  const { tags } = context
  const react = tags.get('+draft/react')
  const unreact = tags.get('+draft/unreact')
  session.emit({ type: 'tagmsg', ...context, ...where, replyTo: replyTarget(tags), react, unreact })
}

export const TEXT_HANDLERS: readonly (readonly [string, Handler])[] = [
  ['PRIVMSG', onText],
  ['NOTICE', onText],
  ['TAGMSG', onTagmsg],
]
