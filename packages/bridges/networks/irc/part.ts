import type { PartOutcome } from '../../core/network.ts'
import type { IrcClient } from './client/client.ts'
import type { SendOutcome } from './client/deliveries.ts'
import type { TextKind } from './client/text-budget.ts'

/** One thing to send, as it is stored before: a line, tags alone, or a command. */
export type IrcPart =
  | { readonly kind: TextKind; readonly text: string; readonly replyTo?: string }
  | { readonly kind: 'tags'; readonly tags: readonly (readonly [string, string])[] }
  | { readonly kind: 'command'; readonly words: readonly [string, ...string[]] }

/** The words of a stored part; undefined where it has none. */
export function textOfPart(stored: string): string | undefined {
  const part = JSON.parse(stored) as IrcPart
  return 'text' in part ? part.text : undefined
}

/** How soon to try again what could not be sent. */
const PAUSE_MS = 1_000

function perform(client: IrcClient, channel: string, part: IrcPart): Promise<SendOutcome> {
  if (part.kind === 'command') return client.perform(...part.words)
  if (part.kind === 'tags') return client.sendTags(channel, new Map(part.tags))
  const { kind, text, replyTo } = part
  const tags = replyTo === undefined ? {} : { tags: new Map([['+draft/reply', replyTo]]) }
  return client.say({ kind, target: channel, text, ...tags })
}

/** Sends a stored part and tells its fate in the hub's terms. */
export async function sendIrcPart(client: IrcClient, channel: string, stored: string): Promise<PartOutcome> {
  const outcome = await perform(client, channel, JSON.parse(stored) as IrcPart)
  switch (outcome.kind) {
    case 'echoed':
      return { kind: 'sent', remoteId: outcome.msgid ?? '' }
    case 'accepted':
    case 'written':
      return { kind: 'sent', remoteId: '' }
    case 'refused':
      return {
        kind: 'refused',
        reason: outcome.reason === '' ? `the server refused (${outcome.code})` : outcome.reason,
      }
    case 'uncertain':
      return {
        kind: 'uncertain',
        reason:
          outcome.reason === 'disconnected'
            ? 'the connection broke while sending'
            : 'the server did not answer',
      }
    case 'unsent':
      if (outcome.reason === 'not-connected' || outcome.reason === 'queue-full')
        return { kind: 'retry', reason: outcome.reason, afterMs: PAUSE_MS }
      return { kind: 'refused', reason: `it cannot be said there (${outcome.reason})` }
  }
}
