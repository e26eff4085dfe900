import type { DeviceId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import { withUnsigned } from '@causeway/matrix/events/client-event.ts'
import { findDelayOf } from '@causeway/store/tables/delayed-events.ts'
import { findRedactionOf } from '@causeway/store/tables/events.ts'
import { bundleRelations } from './bundle-relations.ts'
import { readStateAt } from './current-state.ts'
import type { RoomEngine } from './engine.ts'
import { findEventsByNid } from './read-events.ts'
import { saysSticky } from './sticky-events.ts'
import type { RoomInfo } from './stored-event.ts'
import type { VisibleEvent } from './visibility.ts'

/** Who an event is rendered for. */
export interface EventReader {
  readonly userId: UserId
  readonly deviceId: DeviceId | undefined
}

/**
 * Events of one room as JSON texts for one reader: the shared client form with the reader's `unsigned` spliced
 * in. A plain message costs no look-up; state events one (what they replaced), redacted ones one (why), and what the
 * reader had sent later one.
 * https://spec.matrix.org/v1.19/client-server-api/#room-event-format
 */
export async function renderEvents(
  engine: RoomEngine,
  room: RoomInfo,
  reader: EventReader,
  events: readonly VisibleEvent[],
): Promise<string[]> {
  const render = (visible: VisibleEvent, relations: string | undefined): Promise<string> =>
    renderOne(engine, room, reader, visible, relations)
  const bundles = await bundleRelations(
    engine,
    room,
    reader.userId,
    events.map(({ event }) => event),
    render,
  )
  // Those of a page in one query, before each asks.
  if (events.some(({ event }) => saysSticky(event)))
    await engine.sticky.untilOf(events.map(({ event }) => event))
  // Side by side: what a page of memberships took the place of is read in a few queries, not in one each.
  return Promise.all(events.map((visible) => render(visible, bundles.get(visible.event.eventId))))
}

/**
 * The events of a timeline by their numbers, so that what state told beside it has too is told the same way: clients that
 * take the state from there alone learn there what an event took the place of, which names those who left.
 */
export async function renderTimeline(
  engine: RoomEngine,
  room: RoomInfo,
  reader: EventReader,
  events: readonly VisibleEvent[],
): Promise<Map<number, string>> {
  const texts = await renderEvents(engine, room, reader, events)
  return new Map(events.map(({ event }, index) => [event.nid, texts[index]!]))
}

async function renderOne(
  engine: RoomEngine,
  room: RoomInfo,
  reader: EventReader,
  { event, membership }: VisibleEvent,
  relations: string | undefined,
): Promise<string> {
  let unsigned = `{"age":${Math.max(0, engine.clock.now() - event.originServerTs)},"membership":${JSON.stringify(membership)}`
  const echo = engine.echoes.find(event.eventId)
  if (echo !== undefined && echo.deviceId === reader.deviceId && echo.userId === reader.userId) {
    unsigned += `,"transaction_id":${JSON.stringify(echo.txnId)}`
  }
  if ((event.flags & EventFlag.delayed) !== 0 && event.sender === reader.userId) {
    unsigned += await renderDelay(engine, event)
  }
  if (event.stateKey !== undefined) unsigned += await renderReplaced(engine, room, event)
  if ((event.flags & EventFlag.redacted) !== 0) unsigned += await renderRedaction(engine, event)
  if (saysSticky(event)) unsigned += await renderSticky(engine, event)
  if (relations !== undefined) unsigned += `,"m.relations":${relations}`
  return withUnsigned(event.clientJson, `${unsigned}}`)
}

/** How long an event stays sticky, by this server's clock (MSC4354). */
async function renderSticky({ sticky, clock }: RoomEngine, event: StoredEvent): Promise<string> {
  const until = (await sticky.untilOf([event])).get(event.nid)
  const remaining = (until ?? 0) - clock.now()
  return remaining > 0 ? `,"msc4354_sticky_duration_ttl_ms":${remaining}` : ''
}

/** What a state event took the place of. */
export async function renderReplaced(
  engine: RoomEngine,
  room: RoomInfo,
  event: StoredEvent,
): Promise<string> {
  if (event.stateBefore === 0 || event.stateBefore === event.stateRoot) return ''
  const replaced = await readStateAt(engine, room, event.stateBefore, event.type, event.stateKey!)
  if (replaced === undefined) return ''
  const { content, eventId, sender } = replaced.stored
  return `,"replaces_state":${JSON.stringify(eventId)},"prev_content":${JSON.stringify(content)},"prev_sender":${JSON.stringify(sender)}`
}

/** By which its sender recognises what they had sent later, for as long as that is remembered (MSC4140). */
async function renderDelay({ db }: RoomEngine, { roomNid, nid }: StoredEvent): Promise<string> {
  const found = await findDelayOf(db, roomNid, nid)
  return found === undefined ? '' : `,"org.matrix.msc4140.delay_id":${JSON.stringify(found)}`
}

export async function renderRedaction(engine: RoomEngine, event: StoredEvent): Promise<string> {
  const nid = await findRedactionOf(engine.db, event.eventId)
  const redaction = nid === undefined ? undefined : (await findEventsByNid(engine, [nid])).get(nid)
  return redaction === undefined ? '' : `,"redacted_because":${redaction.clientJson}`
}

/** An event for a reader of whom nothing is known but that they may see it: state, invites. */
export function renderPlain(engine: Pick<RoomEngine, 'clock'>, event: StoredEvent): string {
  return withUnsigned(event.clientJson, `{"age":${Math.max(0, engine.clock.now() - event.originServerTs)}}`)
}
