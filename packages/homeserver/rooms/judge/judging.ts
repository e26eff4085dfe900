import type { Verdict } from '@causeway/matrix/event-auth/auth-state.ts'
import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import type { EventId } from '@causeway/matrix/ids/ids.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { diffStates } from '@causeway/store/state/diff.ts'
import { findEventRowsByNid, type EventRow } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from '../engine.ts'
import { findEvents } from '../read-events.ts'
import { authIdsOf, authorizeAt, authorizeByOwnAuthEvents, findAuthEvents } from '../receive/auth-lookup.ts'
import { changeRoot, internKey, lasting, type RoomWrite } from '../room-write.ts'
import { resolveRoots } from '../state/resolve-roots.ts'
import { roomEventOfRow, storedEventOfRow, toStoredEvent } from '../stored-event.ts'
import type { GraphEvent } from './load-stretch.ts'

/** Where an event stands once it was judged anew. */
export interface Standing {
  readonly event: GraphEvent
  readonly roomEvent: RoomEvent
  readonly row: EventRow
  readonly before: number
  readonly root: number
  readonly flags: number
  /** Why it is refused, where it is. */
  readonly reason: string | undefined
  /** Numbers of its auth events. */
  readonly auth: readonly number[]
}

/** A walk over the graph from events that are to be judged anew. */
export interface Judging {
  readonly engine: RoomEngine
  readonly write: RoomWrite
  readonly stretch: ReadonlyMap<EventId, GraphEvent>
  /** To be judged whether or not anything before them has changed. */
  readonly targets: ReadonlySet<EventId>
  /** Came into a gap: what points at them is judged by them from now on. */
  readonly filled: ReadonlySet<EventId>
  /** Events before which the state is known to be this, whatever their parents leave. */
  readonly begun: ReadonlyMap<EventId, number>
  /** Events whose standing, or the state at them, is another one. */
  readonly changed: Map<EventId, Standing>
  /** Refused events whose state follows from what came by the log. */
  readonly grounded: Set<EventId>
  /** Numbers of state events that are in the head in their new form for the time of the write. */
  readonly overlaid: Set<number>
}

const REFUSED = EventFlag.rejected | EventFlag.softFailed
/** Rows read at once. */
const PORTION = 100

export function isRejected({ flags }: { readonly flags: number }): boolean {
  return (flags & EventFlag.rejected) !== 0
}

/**
 * Judges what has to be, in the order of the graph: the state before an event is what its parents leave, and it is
 * allowed by its own auth events and by that state, or refused. Costs the stretch, and for each event that something
 * has changed before, what receiving it costs.
 */
export async function judgeStretch(work: Judging, ordered: readonly GraphEvent[]): Promise<void> {
  for (let at = 0; at < ordered.length; at += PORTION) {
    const portion = ordered.slice(at, at + PORTION)
    let rows: Map<number, EventRow> | undefined
    for (const event of portion) {
      if (await isGrounded(work, event)) work.grounded.add(event.eventId)
      if (!isTouched(work, event)) continue
      rows ??= await readRows(work, portion)
      const standing = await judge(work, event, rows.get(event.nid)!)
      if (standing !== undefined) note(work, standing)
    }
  }
}

async function readRows({ engine }: Judging, portion: readonly GraphEvent[]): Promise<Map<number, EventRow>> {
  const nids = portion.map(({ nid }) => nid)
  return new Map((await findEventRowsByNid(engine.db, nids)).map((row) => [row.nid, row]))
}

function isTouched(work: Judging, event: GraphEvent): boolean {
  const { targets, changed, filled, grounded } = work
  if (!grounded.has(event.eventId)) return false
  if (targets.has(event.eventId)) return true
  if (event.prevs.some((id) => changed.has(id) || filled.has(id))) return true
  return event.auths.some((id) => {
    const standing = changed.get(id)
    return standing !== undefined && isRejected(standing) !== isRejected(standing.event)
  })
}

/**
 * Whether the state at an event is our own finding: true of all that came by the log. History that was filled in rests
 * on what one server told of the state there; that decides who may see it, and must never reach the present.
 */
async function isGrounded(work: Judging, event: GraphEvent): Promise<boolean> {
  if (event.nid > 0) return true
  if ((event.flags & REFUSED) === 0) return false
  const older = event.prevs.filter((id) => !work.stretch.has(id))
  const held = older.length === 0 ? undefined : await findEvents(work.engine, older)
  return event.prevs.every((id) => work.grounded.has(id) || (held?.get(id)?.nid ?? 0) > 0)
}

/** The state before an event by what its parents leave now; beside it, as it was found, where parents are missing. */
async function stateBefore(work: Judging, event: GraphEvent): Promise<number> {
  const { engine, write, stretch, changed, grounded, begun } = work
  const known = begun.get(event.eventId)
  if (known !== undefined) return known
  const older = event.prevs.filter((id) => !stretch.has(id))
  const held = older.length === 0 ? undefined : await findEvents(engine, older)
  const roots: number[] = []
  for (const id of event.prevs) {
    const inside = grounded.has(id) ? (changed.get(id)?.root ?? stretch.get(id)!.stateRoot) : undefined
    const before = held?.get(id)
    const root = inside ?? (before !== undefined && before.nid > 0 ? before.stateRoot : undefined)
    roots.push(root ?? event.stateBefore)
  }
  return resolveRoots(engine, write, roots)
}

async function judge(work: Judging, event: GraphEvent, row: EventRow): Promise<Standing | undefined> {
  const { engine, write } = work
  const { head } = write
  const before = await asBefore(write, event.stateBefore, await stateBefore(work, event))
  const roomEvent = roomEventOfRow(head, row)
  const authEvents = await findAuthEvents(engine, write, [roomEvent])
  const own = authorizeByOwnAuthEvents(head.rules, roomEvent, authEvents)
  const verdict = own.ok ? await authorizeAt(engine, write, before, roomEvent, authEvents) : own
  const after = verdict.ok ? await rootAfter(write, before, roomEvent, event.stateNid) : before
  const root = await asBefore(write, event.stateRoot, after)
  const flags = flagsAfter(event, verdict)
  if (before === event.stateBefore && root === event.stateRoot && flags === event.flags) return undefined
  const auth = authIdsOf(head.rules, roomEvent).flatMap((id) => authEvents.get(id)?.stored.stateNid ?? [])
  const reason = verdict.ok ? undefined : verdict.reason
  return { event, roomEvent, row, before, root, flags, reason, auth }
}

/** A root as it was where the state is the same: equal states may have different numbers. */
export async function asBefore({ head }: RoomWrite, was: number, is: number): Promise<number> {
  if (was === is) return was
  return (await diffStates(head.nodes, head.roomNid, was, is)).length === 0 ? was : is
}

function flagsAfter({ flags }: GraphEvent, { ok }: Verdict): number {
  if (ok) return flags & ~EventFlag.rejected
  return (flags & ~(EventFlag.softFailed | EventFlag.notifies)) | EventFlag.rejected
}

async function rootAfter(
  write: RoomWrite,
  before: number,
  { pdu }: RoomEvent,
  stateNid: number,
): Promise<number> {
  if (stateNid === 0) return before
  return changeRoot(write, before, [[await internKey(write, pdu.type, pdu.state_key!), stateNid]])
}

/** What is judged after it finds it in its new standing. */
function note(work: Judging, standing: Standing): void {
  work.changed.set(standing.event.eventId, standing)
  overlay(work, standing, standing.event.roomRoot)
}

/** Makes a state event's new form what the rest of the write reads. */
export function overlay(work: Judging, standing: Standing, roomRoot: number): void {
  const { event, roomEvent, before, root, flags } = standing
  if (event.stateNid === 0) return
  const { head } = work.write
  const place = { ...event, stateBefore: before, stateRoot: root, roomRoot, flags }
  const stored = toStoredEvent(head, roomEvent, place)
  head.entries.set(event.stateNid, { roomEvent: lasting(roomEvent), stored })
  work.overlaid.add(event.stateNid)
}

/**
 * The same for what is held without its place in the graph: by its own auth events alone. Resolves with those that are
 * not refused any more.
 */
export async function judgeOutliers(work: Judging, rows: readonly EventRow[]): Promise<EventId[]> {
  const { engine, write, overlaid } = work
  const { head } = write
  const accepted: EventId[] = []
  let left = rows
  for (let before = Infinity; left.length > 0 && left.length < before;) {
    before = left.length
    const still: EventRow[] = []
    for (const row of left) {
      const roomEvent = roomEventOfRow(head, row)
      const authEvents = await findAuthEvents(engine, write, [roomEvent])
      if (!authorizeByOwnAuthEvents(head.rules, roomEvent, authEvents).ok) {
        still.push(row)
        continue
      }
      const flags = row.flags & ~EventFlag.rejected
      const stored = storedEventOfRow(head, { ...row, flags })
      head.entries.set(row.state_nid, { roomEvent: lasting(roomEvent), stored })
      overlaid.add(row.state_nid)
      accepted.push(roomEvent.eventId)
      write.steps.push(
        { sql: 'UPDATE events SET flags = ? WHERE nid = ?', params: [flags, row.nid] },
        { sql: 'DELETE FROM event_rejections WHERE event_nid = ?', params: [row.nid] },
      )
    }
    left = still
  }
  return accepted
}
