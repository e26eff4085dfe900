import type { LineContext } from './events.ts'
import type { IrcMessage } from './message.ts'
import type { Session } from './session.ts'
import { parseSource } from './source.ts'

/** A received line with what its tags and batch say. */
export interface Incoming {
  readonly command: string
  readonly params: readonly string[]
  readonly context: LineContext
  /** The label of the line of ours that it answers. */
  readonly label: string | undefined
  /** That line's command. */
  readonly answers: string | undefined
  readonly isInBatch: boolean
}

/** Handles one command or numeric. */
export type Handler = (session: Session, incoming: Incoming) => void

function readTime(value: string | undefined): number | undefined {
  const time = value === undefined ? Number.NaN : Date.parse(value)
  return Number.isNaN(time) ? undefined : time
}

/** Whether this nick is the session's own user. */
export function isOwnNick(session: Session, nick: string): boolean {
  return nick !== '' && session.membership.fold(nick) === session.membership.fold(session.nick)
}

export function readIncoming(session: Session, message: IrcMessage): Incoming {
  const { tags, command, params } = message
  const batch = session.batches.find(tags.get('batch'))
  const from = parseSource(message.source)
  const account = tags.get('account')
  const label = tags.get('label') ?? batch?.label
  return {
    command,
    params,
    context: {
      from,
      own: !from.isServer && isOwnNick(session, from.nick),
      time: readTime(tags.get('time')),
      msgid: tags.get('msgid'),
      account: account === '*' ? undefined : account,
      batch: batch?.type,
      tags,
    },
    label,
    answers: session.deliveries.findLabel(label)?.command,
    isInBatch: batch !== undefined,
  }
}
