import type { Step, WriteValue } from '@causeway/store/db/database.ts'
import { EVENTS, REDACTIONS, RELATIONS, STATE_EVENTS } from '@causeway/store/tables/events.ts'
import { unreadSteps } from '../unread/event-steps.ts'
import { formatAuthNids } from './auth-nids.ts'
import type { RoomEngine } from './engine.ts'
import { mediaReferenceSteps } from './media-references.ts'
import { memberEventSteps } from './member-steps.ts'
import { isShown } from './read-events.ts'
import { redactedBy } from './redaction.ts'
import { relationOf } from './relation.ts'
import { renumberSteps } from './renumber.ts'
import type { NewEvent, RoomWrite } from './room-write.ts'
import { stickySteps } from './sticky-events.ts'

/**
 * The rows of a new event, and of all that follows from it.
 * @param nid its number, known only at commit
 * @param toldAt position of the log from which on it is told, should it be sticky
 */
export function eventSteps(
  engine: RoomEngine,
  write: RoomWrite,
  event: NewEvent,
  nid: WriteValue,
  toldAt: WriteValue,
): Step[] {
  const { roomNid, rules } = write.head
  const { stored } = event
  const steps: Step[] =
    event.outlier === undefined ? eventRows(event, nid) : renumberSteps(event.outlier, event, nid)
  // Whatever is held may be shown some day: its media is not without references.
  steps.push(...mediaReferenceSteps(engine.serverName, stored.content, nid))
  steps.push(...stickySteps(engine, event, nid, toldAt))
  // What is only held, or was refused, says nothing to anybody.
  if (!isShown(stored)) return steps
  const relation = relationRow(event, nid)
  if (relation !== undefined) steps.push(relation)
  const redacts = redactedBy(rules, event.roomEvent)
  if (redacts !== undefined) steps.push({ into: REDACTIONS, values: [nid, roomNid, redacts] })
  if (event.place === 'history') return steps
  if (write.memberChanges === undefined) steps.push(...memberEventSteps(engine, event, nid))
  steps.push(...unreadSteps(stored, nid, engine.serverName, event.replaced?.stored.content['membership']))
  return steps
}

function eventRows(event: NewEvent, nid: WriteValue): Step[] {
  const { roomNid, stateNid } = event.stored
  if (stateNid === 0) return [eventRow(event, nid)]
  const ofState = { into: STATE_EVENTS, values: [roomNid, stateNid, nid, formatAuthNids(event.auth)] }
  return [eventRow(event, nid), ofState]
}

function eventRow({ stored, json }: NewEvent, nid: WriteValue): Step {
  return {
    into: EVENTS,
    values: [
      nid,
      stored.eventId,
      stored.roomNid,
      stored.depth,
      stored.stateRoot,
      stored.stateBefore,
      stored.flags,
      stored.stateNid,
      stored.roomRoot === stored.stateRoot ? 0 : stored.roomRoot,
      json,
    ],
  }
}

function relationRow({ stored }: NewEvent, nid: WriteValue): Step | undefined {
  const relation = stored.stateKey === undefined ? relationOf(stored.content) : undefined
  if (relation === undefined) return undefined
  const { parentEventId, relType, key } = relation
  return {
    into: RELATIONS,
    values: [nid, stored.roomNid, parentEventId, relType, stored.type, stored.sender, key],
  }
}
