import type { CommitResult, Step, Write, WriteValue } from '@causeway/store/db/database.ts'
import type { EventEntry, LogEntry } from '@causeway/store/log/entry.ts'
import type { Membership } from '@causeway/matrix/event-auth/membership.ts'
import { EVENTS, REDACTIONS, RELATIONS, STATE_EVENTS } from '@causeway/store/tables/events.ts'
import { MEMBERSHIPS, ROOMS } from '@causeway/store/tables/rooms.ts'
import { nodeInsert } from '@causeway/store/state/node-source.ts'
import { keyInsert } from '@causeway/store/state/keys.ts'
import type { RoomEngine } from './engine.ts'
import { formatHead } from './head.ts'
import { relationOf } from './relation.ts'
import { redactedBy } from './redaction.ts'
import { unreadSteps } from '../unread/event-steps.ts'
import type { RoomInfo } from './stored-event.ts'
import { lasting, type NewEvent, type RoomWrite } from './room-write.ts'

/** What goes into the log together with the events: the answer to an idempotent request, an alias, … */
export interface Companions {
  readonly entries?: readonly LogEntry[]
  readonly steps?: readonly Step[]
}

/** A write handed to the log; `settled` resolves when it is durable or refused. */
export interface PendingWrite {
  readonly settled: Promise<CommitResult>
  /** Index in the write's steps where the companions' steps begin. */
  readonly companionSteps: number
}

/**
 * The one door through which events enter the log (law 2). Advances the head at once, so that the next write
 * of the room can be built while this one waits for the disk; whoever awaits `settled` drops the head when
 * the write was refused or failed. Only inside the room's queue.
 */
export function persistEvents(
  engine: RoomEngine,
  write: RoomWrite,
  companions: Companions = {},
): PendingWrite {
  const { head } = write
  const isNewRoom = head.version === 0
  const steps: Step[] = write.events.flatMap((event, index) => eventSteps(engine, head, event, index))
  steps.push(
    ...write.newNodes.map((node) => nodeInsert(head.roomNid, node)),
    ...write.newKeys.map((key) => keyInsert(head.roomNid, key)),
    ...write.steps,
  )
  const companionSteps = steps.length
  steps.push(...(companions.steps ?? []))
  advanceHead(write)
  if (isNewRoom) {
    steps.push({
      into: ROOMS,
      values: [head.roomNid, head.roomId, head.rules.version, head.version, formatHead(head)],
    })
  }
  const events: EventEntry[] = write.events.map(({ stored }) => ({
    kind: 'event',
    position: 0,
    roomId: head.roomId,
    event: stored,
  }))
  const logWrite: Write = {
    entries: [...events, ...(companions.entries ?? [])],
    steps,
    heads: isNewRoom
      ? []
      : [
          {
            roomNid: head.roomNid,
            expectVersion: head.version - 1,
            version: head.version,
            head: formatHead(head),
          },
        ],
  }
  return { settled: settle(engine, write, engine.log.append(logWrite)), companionSteps }
}

/** Keeps the head from being shed until the write is durable, and drops it when the write came to nothing. */
async function settle(
  engine: RoomEngine,
  write: RoomWrite,
  appended: Promise<CommitResult>,
): Promise<CommitResult> {
  const { head } = write
  const busy = engine.busyHeads.get(head.roomId) ?? { head, writes: 0 }
  busy.writes++
  engine.busyHeads.set(head.roomId, busy)
  let ok = false
  try {
    const result = await appended
    ok = result.ok
    return result
  } finally {
    busy.writes--
    const isCurrent = engine.busyHeads.get(head.roomId) === busy
    if (isCurrent && (busy.writes === 0 || !ok)) engine.busyHeads.delete(head.roomId)
    if (ok) remember(engine, write)
    else if (engine.heads.peek(head.roomId) === head) engine.heads.delete(head.roomId)
  }
}

/** What is committed may be cached; before, its numbers might be handed out a second time. */
function remember(engine: RoomEngine, write: RoomWrite): void {
  write.head.nodes.settle(write.newNodes)
  write.head.keys.settle(write.newKeys)
  for (const { stored } of write.redacted) engine.log.ring.replaceEvent(stored)
  for (const { stored, roomEvent } of [...write.events, ...write.redacted]) {
    engine.events.set(stored.eventId, stored)
    if (stored.stateNid !== 0)
      engine.stateEntries.set(`${stored.roomNid}:${stored.stateNid}`, {
        stored,
        roomEvent: lasting(roomEvent),
      })
  }
}

function advanceHead(write: RoomWrite): void {
  const { head } = write
  head.version++
  head.extremities = write.extremities
  head.stateRoot = write.stateRoot
  head.next = write.next
  for (const [key, entry] of write.state) head.state.set(key, entry)
}

function eventSteps(
  engine: RoomEngine,
  { roomNid, rules }: RoomInfo,
  event: NewEvent,
  index: number,
): Step[] {
  const { stored, roomEvent } = event
  const unsigned = { head: roomEvent.head, tail: roomEvent.tail, signed: roomEvent.signed }
  const nid = { position: index }
  const steps: Step[] = [
    {
      into: EVENTS,
      values: [
        nid,
        stored.eventId,
        roomNid,
        stored.depth,
        stored.stateRoot,
        stored.stateBefore,
        stored.flags,
        stored.stateNid,
        unsigned,
      ],
    },
  ]
  if (stored.stateNid !== 0) steps.push({ into: STATE_EVENTS, values: [roomNid, stored.stateNid, nid] })
  const relation = stored.stateKey === undefined ? relationOf(stored.content) : undefined
  if (relation !== undefined) {
    const row: WriteValue[] = [
      nid,
      roomNid,
      relation.parentEventId,
      relation.relType,
      stored.type,
      stored.sender,
      relation.key,
    ]
    steps.push({ into: RELATIONS, values: row })
  }
  const redacts = redactedBy(rules, event.roomEvent)
  if (redacts !== undefined) steps.push({ into: REDACTIONS, values: [nid, roomNid, redacts] })
  if (stored.type === 'm.room.member' && stored.stateKey !== undefined) {
    steps.push(
      membershipRow(engine, roomNid, stored.stateKey, stored.content['membership'] as Membership, nid),
    )
  }
  steps.push(...unreadSteps(stored, nid, engine.serverName, event.replaced?.stored.content['membership']))
  return steps
}

function membershipRow(
  engine: RoomEngine,
  roomNid: number,
  userId: string,
  membership: Membership,
  nid: WriteValue,
): Step {
  const isLocal = userId.endsWith(`:${engine.serverName}`) ? 1 : 0
  return { into: MEMBERSHIPS, values: [userId, roomNid, membership, nid, isLocal, 0] }
}
