import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { CommitResult, Step, Write, WriteValue } from '@causeway/store/db/database.ts'
import type { EventEntry, LogEntry } from '@causeway/store/log/entry.ts'
import { ROOMS } from '@causeway/store/tables/rooms.ts'
import { noteStateReset } from '@causeway/store/tables/state-resets.ts'
import { nodeInsert } from '@causeway/store/state/node-source.ts'
import { keyInsert } from '@causeway/store/state/keys.ts'
import type { BusyHead, RoomEngine, StateReset } from './engine.ts'
import { eventSteps } from './event-steps.ts'
import { formatHead } from './head.ts'
import { memberChangeSteps } from './member-steps.ts'
import { lasting, type NewEvent, type RoomWrite } from './room-write.ts'
import { isRefusedSticky, isStickyHistory } from './sticky-events.ts'

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
 * of the room can be built while this one waits for the disk. When a write is refused or fails, its head is lost,
 * and whatever else was built on it is refused too. Only inside the room's queue.
 */
export function persistEvents(
  engine: RoomEngine,
  write: RoomWrite,
  companions: Companions = {},
): PendingWrite {
  const { head } = write
  if (head.lost) return { settled: Promise.resolve(STALE), companionSteps: 0 }
  const isNewRoom = head.version === 0
  const entries: LogEntry[] = [...logEntries(write), ...(companions.entries ?? [])]
  const steps = stepsOf(engine, write, entries.length)
  const companionSteps = steps.length
  steps.push(...(companions.steps ?? []))
  advanceHead(write)
  if (isNewRoom) {
    steps.push({
      into: ROOMS,
      values: [head.roomNid, head.roomId, head.rules.version, head.version, formatHead(head)],
    })
  }
  const logWrite: Write = {
    entries: [...entries, ...stickyEntries(write)],
    historical: write.events.filter(({ place }) => place === 'history').length,
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
  const held = engine.busyHeads.get(head.roomId)
  const busy = held?.head === head ? held : { head, writes: 0, settled: Promise.resolve() }
  const settled = settle(engine, write, busy, engine.log.append(logWrite))
  busy.settled = settled
  return { settled, companionSteps }
}

/** How the database refuses a write whose room has moved on meanwhile. */
const STALE: CommitResult = { ok: false, step: -1, reason: 'precondition' }

/**
 * One attempt at a write: the first is handed to the log while others of the room are still on their way to the disk,
 * one of which may be refused and take its head along. Any further attempt has the room to itself, until it is
 * durable, so that it fails only for a reason of its own.
 */
export function attemptWrite<T extends { readonly pending?: PendingWrite | undefined }>(
  engine: RoomEngine,
  roomId: RoomId,
  attempt: number,
  build: () => Promise<T>,
): Promise<T> {
  return attempt === 0 ? engine.queue.serial(roomId, build) : writeAlone(engine, roomId, build)
}

/** Builds a write of a room while nothing else of it is on its way to the disk, and resolves when it is durable. */
export function writeAlone<T extends { readonly pending?: PendingWrite | undefined } | undefined>(
  engine: RoomEngine,
  roomId: RoomId,
  build: () => Promise<T>,
): Promise<T> {
  return engine.queue.serial(roomId, async () => {
    await roomSettled(engine, roomId)
    const built = await build()
    await built?.pending?.settled
    return built
  })
}

/** Resolves once nothing of a room is on its way to the disk. Only inside the room's queue. */
export async function roomSettled(engine: RoomEngine, roomId: RoomId): Promise<void> {
  // Whoever awaits those writes hears of what became of them; here it matters only that it is known.
  await engine.busyHeads.get(roomId)?.settled.catch(() => undefined)
}

/**
 * What else of a room is on its way to the disk: resolves with whether it got there. Called inside the room's queue, by
 * whoever says something by what is not durable yet; awaited outside.
 */
export async function othersStored(engine: RoomEngine, roomId: RoomId): Promise<boolean> {
  const busy = engine.busyHeads.get(roomId)
  await busy?.settled.catch(() => undefined)
  return busy?.head.lost !== true
}

/** @param logged how many entries of the log come before those that tell of sticky events */
function stepsOf(engine: RoomEngine, write: RoomWrite, logged: number): Step[] {
  const { roomNid } = write.head
  const numbers = numberEvents(write.events)
  let told = logged
  const toldAt = write.events.map((event, index) =>
    isStickyHistory(event) ? { position: told++ } : numbers[index]!,
  )
  return [
    ...write.events.flatMap((event, at) => eventSteps(engine, write, event, numbers[at]!, toldAt[at]!)),
    ...memberChangeSteps(engine, write, numbers),
    ...write.newNodes.map((node) => nodeInsert(roomNid, node)),
    ...write.newKeys.map((key) => keyInsert(roomNid, key)),
    ...write.steps,
    ...write.resets.flatMap((reset) => resetSteps(engine, roomNid, reset)),
  ]
}

function resetSteps({ clock }: RoomEngine, roomNid: number, { root, keys, count }: StateReset): Step[] {
  return noteStateReset(roomNid, { root, ts: clock.now(), keys: JSON.stringify({ count, keys }) })
}

/** What each event's number will be: known only at commit. */
function numberEvents(events: readonly NewEvent[]): WriteValue[] {
  let position = 0
  let historical = 0
  return events.map(({ place }) =>
    place === 'log' ? { position: position++ } : { historical: historical++ },
  )
}

function logEntries({ events, head, memberChanges }: RoomWrite): EventEntry[] {
  const told = events.filter(({ place }) => place === 'log')
  return told.map(({ stored }, index) => ({
    kind: 'event',
    position: 0,
    roomId: head.roomId,
    event: stored,
    // What branches made of the members is told once, with the last event.
    ...(memberChanges === undefined ? {} : { memberChanges: index === told.length - 1 ? memberChanges : [] }),
  }))
}

/** That sticky events are here which the log does not bring. */
function stickyEntries({ events, head }: RoomWrite): LogEntry[] {
  const { roomId, roomNid } = head
  return events.filter(isStickyHistory).map(() => ({ kind: 'sticky', position: 0, roomId, roomNid }))
}

/** Keeps the head from being shed until the write is durable, and drops it when the write came to nothing. */
async function settle(
  engine: RoomEngine,
  write: RoomWrite,
  busy: BusyHead,
  appended: Promise<CommitResult>,
): Promise<CommitResult> {
  const { head } = write
  busy.writes++
  engine.busyHeads.set(head.roomId, busy)
  let result: CommitResult | undefined
  try {
    result = await appended
    return result
  } finally {
    head.lost ||= result?.ok !== true
    busy.writes--
    if (engine.busyHeads.get(head.roomId) === busy && (busy.writes === 0 || head.lost))
      engine.busyHeads.delete(head.roomId)
    if (result?.ok === true) remember(engine, write, result.historical)
    else if (engine.heads.peek(head.roomId) === head) engine.heads.delete(head.roomId)
  }
}

/** What is committed may be cached; before, its numbers might be handed out a second time. */
function remember(engine: RoomEngine, write: RoomWrite, historical: readonly number[]): void {
  write.head.nodes.settle(write.newNodes)
  write.head.keys.settle(write.newKeys)
  const outside = write.events.filter(({ place }) => place === 'history')
  for (const [index, { stored }] of outside.entries()) stored.nid = historical[index]!
  engine.figures.noteExtremities(write.head.roomId, write.extremities.length)
  if (write.events.some(isRefusedSticky)) engine.sticky.noteRefused(write.head.roomNid)
  for (const [roots, root] of write.resolved) engine.resolutions.set(roots, root)
  for (const reset of write.resets) engine.onStateReset?.(reset)
  for (const { stored } of write.redacted) engine.log.ring.replaceEvent(stored)
  for (const { stored, roomEvent } of [...write.events, ...write.redacted]) {
    engine.events.set(stored.eventId, stored)
    write.head.pending.delete(stored.eventId)
    if (stored.stateNid === 0) continue
    const entry = { stored, roomEvent: lasting(roomEvent) }
    engine.stateEntries.set(`${stored.roomNid}:${stored.stateNid}`, entry)
    write.head.entries.delete(stored.stateNid)
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
