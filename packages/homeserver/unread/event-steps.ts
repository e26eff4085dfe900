import type { Step, WriteValue } from '@causeway/store/db/database.ts'
import { EventFlag, type StoredEvent } from '@causeway/store/log/entry.ts'
import { insertMention, setSentPosition } from '@causeway/store/tables/unread.ts'
import { relationOf, threadOf } from '../rooms/relation.ts'
import { mentionsOf } from './mentions.ts'

/** The thread of what is said outside threads, as receipts name it. */
export const MAIN = 'main'

/**
 * In which thread a user's own event counts as a receipt of theirs: a message, or (empty: in all) their coming
 * into the room. Undefined for what says nothing about reading: reactions, edits, changes of state.
 * @param membershipBefore of the sender, when the event is their membership
 */
export function readByItself(
  event: Pick<StoredEvent, 'type' | 'sender' | 'stateKey' | 'content' | 'flags'>,
  membershipBefore: unknown,
): string | undefined {
  const { type, sender, stateKey, content, flags } = event
  if (type === 'm.room.member') {
    const cameIn = stateKey === sender && content['membership'] === 'join' && membershipBefore !== 'join'
    return cameIn ? '' : undefined
  }
  if (stateKey !== undefined || type === 'm.room.redaction') return undefined
  const relation = relationOf(content)
  if (relation === undefined) return MAIN
  if (relation.relType === 'm.thread') return relation.parentEventId
  // Nobody's own message may ever count as unread to them.
  return (flags & EventFlag.notifies) !== 0 ? MAIN : undefined
}

/**
 * What is stored with an event so that unread messages can be counted without reading them.
 * @param nid the event's log number, known only at commit
 */
export function unreadSteps(
  event: StoredEvent,
  nid: WriteValue,
  serverName: string,
  membershipBefore: unknown,
): Step[] {
  const steps: Step[] = []
  if (event.sender.endsWith(`:${serverName}`)) {
    const threadId = readByItself(event, membershipBefore)
    if (threadId !== undefined) steps.push(setSentPosition(event.sender, event.roomNid, threadId, nid))
  }
  for (const userId of mentionsOf(event, serverName)) {
    const threadId = threadOf(event.content) ?? ''
    const notifies = (event.flags & EventFlag.notifies) !== 0
    steps.push(insertMention({ roomNid: event.roomNid, eventNid: nid, userId, threadId, notifies }))
  }
  return steps
}
