import type { Delivery } from './deliveries.ts'
import type { Handler, Incoming } from './incoming.ts'
import type { Session } from './session.ts'

const TEXT_COMMANDS = new Set(['PRIVMSG', 'NOTICE', 'TAGMSG'])

/** 4xx and 5xx are errors, and 716: the person accepts no private messages. */
function isErrorNumeric(command: string): boolean {
  return /^[45][0-9]{2}$/.test(command) || command === '716'
}

function refuse(session: Session, delivery: Delivery, code: string, reason: string): void {
  session.deliveries.settle(delivery, { kind: 'refused', code, reason })
}

/** Settles the labelled line this answers; true where the line is used up by that (the echo of our own text). */
function settleLabelled(session: Session, delivery: Delivery, incoming: Incoming): boolean {
  const { command, params, context, isInBatch } = incoming
  if (isErrorNumeric(command)) refuse(session, delivery, command, params.at(-1) ?? '')
  else if (command === 'FAIL') refuse(session, delivery, params[1] ?? 'FAIL', params.at(-1) ?? '')
  else if (context.own && TEXT_COMMANDS.has(command) && delivery.command === command) {
    session.deliveries.settle(delivery, { kind: 'echoed', msgid: context.msgid, time: context.time })
    return true
  } else if (command === 'BATCH' ? (params[0] ?? '').startsWith('-') : !isInBatch) {
    session.deliveries.settle(delivery, { kind: 'accepted' })
  }
  return false
}

/** What every line goes through first: is it the answer to one of ours? True where nothing else is to be done. */
export function handleReply(session: Session, incoming: Incoming): boolean {
  const { command, params } = incoming
  const delivery = session.deliveries.findLabel(labelOf(session, incoming))
  if (delivery !== undefined) {
    const isUsedUp = settleLabelled(session, delivery, incoming)
    return isUsedUp || isErrorNumeric(command) || command === 'FAIL'
  }
  if (!isErrorNumeric(command) || session.state !== 'registered') return false
  const targets = params.slice(1, 3).map((param) => session.membership.fold(param))
  const refused = session.deliveries.findRefused(command, targets)
  if (refused !== undefined) refuse(session, refused, command, params.at(-1) ?? '')
  else if (command !== '422') session.emit({ type: 'refusal', code: command, params: params.slice(1) })
  return refused !== undefined
}

/** The end of a batch carries no label of its own. */
function labelOf(session: Session, { command, params, label }: Incoming): string | undefined {
  if (command !== 'BATCH' || !(params[0] ?? '').startsWith('-')) return label
  return session.batches.find(params[0]?.slice(1))?.label
}

const onBatch: Handler = (session, { params, label, context }) => {
  session.batches.handle(params, label, context.tags.get('batch'))
}

const onFail: Handler = (session, { params }) => {
  session.emit({ type: 'refusal', code: params[1] ?? 'FAIL', params: [...params] })
}

export const REPLY_HANDLERS: readonly (readonly [string, Handler])[] = [
  ['BATCH', onBatch],
  ['FAIL', onFail],
]
