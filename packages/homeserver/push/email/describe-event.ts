import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'

/** What a mail says of one event at most, in characters and lines. */
const MAX_CHARS = 500
const MAX_LINES = 8
const MAX_NAME = 100

/** A name that somebody chose, in one line: no line of it can pass for one of ours. */
export function oneLine(text: string, most = MAX_NAME): string {
  return cut(text.replaceAll(/[\p{C}\p{Z}\s]+/gu, ' ').trim(), most)
}

function cut(text: string, most: number): string {
  const chars = Array.from(text)
  return chars.length <= most ? text : `${chars.slice(0, most).join('')}…`
}

function textOf(content: JsonObject): string | undefined {
  const { body } = content
  if (typeof body !== 'string') return undefined
  // Marks that turn the direction of writing would turn what stands around the message too.
  const lines = body.split(/\r?\n/).map((line) => line.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ').trimEnd())
  const shown = cut(lines.slice(0, MAX_LINES).join('\n').trim(), MAX_CHARS)
  if (shown === '') return undefined
  return lines.length > MAX_LINES && !shown.endsWith('…') ? `${shown} …` : shown
}

const SENT: Readonly<Record<string, string>> = {
  'm.image': 'sent a picture',
  'm.video': 'sent a video',
  'm.audio': 'sent a recording',
  'm.file': 'sent a file',
  'm.location': 'sent a place',
}

/** An event in words. `said`: what its sender wrote; otherwise it is what they did. */
export interface DescribedEvent {
  readonly said: boolean
  readonly text: string
}

/** What a mail says of an event; of an encrypted one, that there is one. */
export function describeEvent({ type, content }: StoredEvent): DescribedEvent {
  const did = (text: string): DescribedEvent => ({ said: false, text })
  switch (type) {
    case 'm.room.encrypted':
      return did('sent an encrypted message')
    case 'm.room.member':
      return did('invited you')
    case 'm.sticker':
      return did('sent a sticker')
    case 'm.poll.start':
    case 'org.matrix.msc3381.poll.start':
      return did('started a poll')
    case 'm.room.tombstone':
      return did('moved the room to another one')
    case 'm.call.invite':
      return did('called')
    case 'm.room.message':
      break
    default:
      return did('sent something')
  }
  const { msgtype } = content
  const sent = typeof msgtype === 'string' ? SENT[msgtype] : undefined
  if (sent !== undefined) return did(sent)
  const text = textOf(content)
  if (text === undefined) return did('sent something')
  return msgtype === 'm.emote' ? did(text) : { said: true, text }
}
