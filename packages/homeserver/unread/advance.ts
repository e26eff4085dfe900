import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { EventFlag, type LogEntry, type StoredEvent } from '@causeway/store/log/entry.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { isShown } from '../rooms/read-events.ts'
import { threadOf } from '../rooms/relation.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import { modeOf, type Counting } from './count-cold.ts'
import { createEvaluator } from './evaluate-event.ts'
import { MAIN, readByItself } from './event-steps.ts'
import { ANYBODY, mentionsOf } from './mentions.ts'
import type { Tally, Weight } from './tally.ts'

const NO_USERS: ReadonlySet<string> = new Set()

/** Entries of a room's log in (after, upTo]; undefined when they are no longer in memory. */
export function entriesOfRoom(
  engine: RoomEngine,
  roomId: RoomId,
  after: number,
  upTo: number,
): LogEntry[] | undefined {
  const entries = engine.log.ring.sinceOf(after, new Set([roomId]), NO_USERS)
  if (entries === 'fell-behind') return undefined
  const last = entries.at(-1)
  return last === undefined || last.position <= upTo
    ? entries
    : entries.filter(({ position }) => position <= upTo)
}

/**
 * Puts new entries on a tally. False when they change what was counted before in a way that only counting anew
 * can tell: a receipt in the middle, a redaction, history that was cut off. Of a plain message under the default rules this costs no
 * look-up and no evaluation.
 */
export async function advance(
  engine: RoomEngine,
  room: RoomInfo,
  counting: Counting,
  tally: Tally,
  entries: readonly LogEntry[],
): Promise<boolean> {
  const { userId, rules, ignored } = counting
  const mode = modeOf(counting, room.roomId)
  const verdictOf = createEvaluator(engine, room, rules.compiled)
  for (const entry of entries) {
    if (entry.kind === 'receipt') {
      if (entry.userId === userId && !tally.readUpTo(entry.threadId ?? '', entry.eventNid)) return false
      continue
    }
    if (entry.kind === 'cut' && tally.size() > 0) return false
    if (entry.kind !== 'event' || !isShown(entry.event)) continue
    const { event } = entry
    if (event.type === 'm.room.redaction' && tally.size() > 0) return false
    if (event.sender === userId) {
      // Coming into the room (again) starts anew; of other events of one's own, the kind says what it reads.
      if (event.type === 'm.room.member') return false
      const threadId = readByItself(event, undefined)
      if (threadId !== undefined && !tally.readUpTo(threadId, event.nid)) return false
      continue
    }
    if (mode === 'none' || ignored.includes(event.sender)) continue
    const simple =
      mode === 'evaluate' ? undefined : simpleWeight(event, userId, engine.serverName, mode === 'default')
    tally.count(threadOf(event.content) ?? MAIN, event.nid, simple ?? (await verdictOf(event)))
  }
  return true
}

const MENTIONED: Weight = { notify: true, highlight: true }
const MESSAGE: Weight = { notify: true, highlight: false }
const NOTHING: Weight = { notify: false, highlight: false }

/** What an event counts by what is plain to see; undefined when the rules have to be asked. */
function simpleWeight(
  event: StoredEvent,
  userId: string,
  serverName: string,
  messagesCount: boolean,
): Weight | undefined {
  const mentioned = mentionsOf(event, serverName)
  if (mentioned.includes(userId)) return MENTIONED
  if (mentioned.includes(ANYBODY)) return undefined
  return messagesCount && (event.flags & EventFlag.notifies) !== 0 ? MESSAGE : NOTHING
}
