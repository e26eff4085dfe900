import type {
  Connection,
  OutgoingMessage,
  Paste,
  RemotePerson,
  RemoteReference,
  Speaker,
} from '../../core/network.ts'
import { oneLine } from '../../formatting/normalize.ts'
import type { Doc } from '../../formatting/tree.ts'
import type { ChannelHistory } from './channel-history.ts'
import type { IrcClient } from './client/client.ts'
import type { TextKind } from './client/text-budget.ts'
import { reactionFallback, replyFallback } from './fallbacks.ts'
import { sendIrcPart, textOfPart } from './part.ts'
import type { IrcPart } from './part.ts'
import type { IrcServerOptions } from './server-options.ts'
import { byteLength } from './split-lines.ts'
import { MIN_RENDER_BUDGET_BYTES, renderForIrc, speakerPrefix, unpingable } from './to-irc.ts'
import type { Speaker as LineSpeaker } from './to-irc.ts'

export interface IrcConnectionInput {
  readonly client: IrcClient
  /** As written. */
  readonly channel: string
  /** For whom the bot speaks; undefined: the client is the speaker's own, or the bot speaks for itself. */
  readonly relayFor: Speaker | undefined
  readonly isBot: boolean
  readonly options: IrcServerOptions
  /** The nick of a user in the channel, for those who have one. */
  readonly nickOf: (userId: string) => string | undefined
  /** What is known of lines in doubt, where the server keeps what was said. */
  readonly history: Pick<ChannelHistory, 'doubt' | 'findSaid'>
  /** Whether the client may act on others in the channel. */
  readonly isOperator: () => boolean
}

/** Kept free: the nick may have become longer when a stored line is sent after a reconnection. */
const SLACK_BYTES = 24
const MAX_TOPIC = 390

const encode = (part: IrcPart): string => JSON.stringify(part)

function lineKind(kind: OutgoingMessage['kind'], isRelayed: boolean): TextKind {
  if (kind === 'notice') return 'notice'
  // A relayed action is a line like `* name waves`, for it is not the bot that waves.
  return kind === 'action' && !isRelayed ? 'action' : 'message'
}

function budgetOf({ client, channel }: IrcConnectionInput, kind: TextKind): number {
  return Math.max(MIN_RENDER_BUDGET_BYTES, (client.textBudget(kind, channel) ?? 0) - SLACK_BYTES)
}

/** The reply as the channel can show it: addressed to its author, with what was said where no tag tells it. */
function withReply(doc: Doc, target: RemoteReference, input: IrcConnectionInput, isTagged: boolean): Doc {
  const nick = input.nickOf(target.userId) ?? target.name
  return replyFallback(doc, isTagged ? { nick } : { nick, text: target.text }, target.userId)
}

async function renderLines(
  input: IrcConnectionInput,
  doc: Doc,
  message: OutgoingMessage,
  paste: Paste,
): Promise<readonly string[]> {
  const { options, relayFor, nickOf } = input
  const kind = lineKind(message.kind, relayFor !== undefined)
  const speaker: LineSpeaker | undefined = relayFor && { name: relayFor.displayName, kind: message.kind }
  const { maxLines, colors, monospace } = options
  const rendering = renderForIrc(doc, {
    ...{ budgetBytes: budgetOf(input, kind), maxLines, colors, monospace, nickOf },
    ...(speaker === undefined ? {} : { speaker }),
  })
  if (rendering.kind === 'lines') return rendering.lines
  const url = await paste(rendering.fullText)
  return [`${rendering.preview} ${url ?? '(the rest is on Matrix)'}`]
}

async function render(
  input: IrcConnectionInput,
  message: OutgoingMessage,
  paste: Paste,
): Promise<readonly string[]> {
  const { client, relayFor } = input
  const { replyTo } = message
  const isTagged = replyTo !== undefined && replyTo.id !== '' && client.supportsTag('+draft/reply')
  const doc = replyTo === undefined ? message.doc : withReply(message.doc, replyTo, input, isTagged)
  const kind = lineKind(message.kind, relayFor !== undefined)
  const lines = await renderLines(input, doc, message, paste)
  return lines.map((text, index) =>
    encode({ kind, text, ...(isTagged && index === 0 ? { replyTo: replyTo.id } : {}) }),
  )
}

function renderReaction(
  input: IrcConnectionInput,
  target: RemoteReference,
  key: string,
  isRemoval: boolean,
): readonly string[] {
  const { client, relayFor, options, nickOf } = input
  const tag = isRemoval ? '+draft/unreact' : '+draft/react'
  // The bot cannot react for two people: what it relays it says in words.
  if (relayFor === undefined && target.id !== '' && client.supportsTag(tag)) {
    const tags = [
      ['+draft/reply', target.id],
      [tag, key],
    ] as const
    return [encode({ kind: 'tags', tags })]
  }
  if (isRemoval || !options.tellsReactions) return []
  const nick = unpingable(nickOf(target.userId) ?? target.name)
  const words = reactionFallback(key, { nick, text: target.text })
  if (relayFor === undefined) return [encode({ kind: 'action', text: words })]
  return [
    encode({ kind: 'message', text: speakerPrefix({ name: relayFor.displayName, kind: 'action' }) + words }),
  ]
}

function renderModeration(
  { channel, isOperator }: IrcConnectionInput,
  act: 'kick' | 'ban' | 'unban',
  person: RemotePerson,
  reason: string,
): readonly string[] {
  if (!isOperator()) return []
  const mask = `${person.name}!*@*`
  const mode = (change: string): string => encode({ kind: 'command', words: ['MODE', channel, change, mask] })
  const text = oneLine(reason).slice(0, 200)
  const kick = encode({ kind: 'command', words: ['KICK', channel, person.name, text] })
  if (act === 'unban') return [mode('-b')]
  return act === 'ban' ? [mode('+b'), kick] : [kick]
}

function renderTopic({ channel }: IrcConnectionInput, topic: string): readonly string[] {
  let text = oneLine(topic).slice(0, MAX_TOPIC)
  while (byteLength(text) > MAX_TOPIC) text = text.slice(0, -1)
  return [encode({ kind: 'command', words: ['TOPIC', channel, text.toWellFormed()] })]
}

/** Somebody's way to speak in an IRC channel. IRC has no edits and, on these servers, no withdrawal. */
export function createIrcConnection(input: IrcConnectionInput): Connection {
  const { client, channel, isBot, relayFor, options, history } = input
  const actsForItself = isBot && relayFor === undefined
  return {
    render: (message, paste) => render(input, message, paste),
    send: async (part) => {
      const outcome = await sendIrcPart(client, channel, part)
      const text = textOfPart(part)
      if (outcome.kind === 'uncertain' && text !== undefined) history.doubt(text)
      return outcome
    },
    findSaid: (part) => {
      const text = textOfPart(part)
      return text === undefined ? undefined : history.findSaid(text)
    },
    reactions: { render: (target, key, isRemoval) => renderReaction(input, target, key, isRemoval) },
    ...(actsForItself && {
      moderation: { render: (act, person, reason) => renderModeration(input, act, person, reason) },
    }),
    ...(actsForItself &&
      options.setsTopics && { topics: { render: (topic: string) => renderTopic(input, topic) } }),
  }
}
