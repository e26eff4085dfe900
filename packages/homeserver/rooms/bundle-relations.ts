import type { EventId, UserId } from '@causeway/matrix/ids/ids.ts'
import { EventFlag, type StoredEvent } from '@causeway/store/log/entry.ts'
import {
  listEditsAndReferences,
  listThreadSummaries,
  type RelatedRow,
  type RelationScope,
  type ThreadRow,
} from '@causeway/store/tables/relations.ts'
import type { EventRow } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from './engine.ts'
import { HIDDEN } from './read-events.ts'
import { relationOf } from './relation.ts'
import { relationScope } from './relation-scope.ts'
import { expiryOf, isExpired } from './retention/expiry.ts'
import { storedEventOfRow, type RoomInfo } from './stored-event.ts'
import { filterVisible, type Sightable, type VisibleEvent } from './visibility.ts'

/** Renders one event for the reader, with the `m.relations` it has, if any. */
export type RenderOne = (visible: VisibleEvent, relations: string | undefined) => Promise<string>

/** What relates to one event, as JSON texts by relation type. */
type Bundle = Map<string, string>

interface BundleContext {
  readonly engine: RoomEngine
  readonly room: RoomInfo
  readonly userId: UserId
  readonly scope: RelationScope
  readonly render: RenderOne
  /** What was sent before it has outlived its time. */
  readonly expiry: number
}

const NONE: ReadonlyMap<EventId, string> = new Map()

/**
 * The values of `unsigned.m.relations` of those events of a page that have relations, as JSON texts: the latest
 * edit, the thread, the references, as far as the reader may see them. No query for recent events without
 * relations, two for a page with some, one more where threads' last replies have relations themselves.
 * https://spec.matrix.org/v1.19/client-server-api/#aggregations-of-child-events
 */
export async function bundleRelations(
  engine: RoomEngine,
  room: RoomInfo,
  userId: UserId,
  events: readonly StoredEvent[],
  render: RenderOne,
): Promise<ReadonlyMap<EventId, string>> {
  const parents = events.filter((event) => mayHaveBundle(engine, event))
  if (parents.length === 0) return NONE
  const [scope, expiry] = await Promise.all([relationScope(engine, room, userId), expiryOf(engine, room)])
  const context: BundleContext = { engine, room, userId, scope, render, expiry }
  const [bundles, threads] = await Promise.all([
    bundleDirect(context, parents),
    bundleThreads(context, parents),
  ])
  for (const [eventId, thread] of threads) bundleOf(bundles, eventId).set('m.thread', thread)
  return formatBundles(bundles)
}

/** State events get no bundles. */
function mayHaveBundle(engine: RoomEngine, event: StoredEvent): boolean {
  return event.stateKey === undefined && engine.related.mayBeRelatedTo(event)
}

function bundleOf(bundles: Map<EventId, Bundle>, eventId: EventId): Bundle {
  let bundle = bundles.get(eventId)
  if (bundle === undefined) bundles.set(eventId, (bundle = new Map()))
  return bundle
}

function formatBundles(bundles: ReadonlyMap<EventId, Bundle>): Map<EventId, string> {
  const formatted = new Map<EventId, string>()
  for (const [eventId, bundle] of bundles) {
    const parts = [...bundle].map(([relType, json]) => `"${relType}":${json}`)
    formatted.set(eventId, `{${parts.join(',')}}`)
  }
  return formatted
}

/** Edits and references. */
async function bundleDirect(
  context: BundleContext,
  parents: readonly StoredEvent[],
): Promise<Map<EventId, Bundle>> {
  const { engine, room, userId, scope } = context
  const editors = [...new Set(parents.map(({ sender }) => sender))]
  const ids = parents.map(({ eventId }) => eventId)
  const mark = engine.events.mark()
  const rows = await listEditsAndReferences(engine.db, scope, ids, editors)
  const seen = await filterVisible(
    engine,
    room,
    userId,
    rows.filter(({ flags }) => (flags & HIDDEN) === 0).map((row) => sightOf(row)),
  )
  const bundles = new Map<EventId, Bundle>()
  for (const parent of parents) {
    const own = seen.filter(({ event }) => event.row.parent_event_id === parent.eventId)
    const edit = latestEdit(context, parent, own, mark)
    if (edit !== undefined)
      bundleOf(bundles, parent.eventId).set('m.replace', await context.render(edit, undefined))
    const references = own.filter(({ event }) => event.row.rel_type === 'm.reference')
    if (references.length === 0) continue
    const chunk = references.toReversed().map(({ event }) => ({ event_id: event.row.event_id }))
    bundleOf(bundles, parent.eventId).set('m.reference', JSON.stringify({ chunk }))
  }
  return bundles
}

/** What visibility is decided by, of a row that is not worth parsing for it; its age, where that matters, comes after. */
interface Sight extends Sightable {
  readonly row: RelatedRow
}

function sightOf(row: RelatedRow): Sight {
  const { nid, type, flags, state_root: stateRoot, state_before: stateBefore } = row
  return { nid, type, flags, stateKey: undefined, stateRoot, stateBefore, row }
}

/** https://spec.matrix.org/v1.19/client-server-api/#validity-of-replacement-events */
function latestEdit(
  { engine, room, expiry }: BundleContext,
  parent: StoredEvent,
  related: readonly { readonly event: Sight; readonly membership: string }[],
  mark: number,
): VisibleEvent | undefined {
  if ((parent.flags & EventFlag.redacted) !== 0) return undefined
  if (relationOf(parent.content)?.relType === 'm.replace') return undefined
  let latest: VisibleEvent | undefined
  for (const { event, membership } of related) {
    const { row } = event
    if (row.rel_type !== 'm.replace' || row.type !== parent.type || row.json === null) continue
    const edit = { event: eventOfRow(engine, room, { ...row, json: row.json }, mark), membership }
    if (!isEditBy(edit.event, parent.sender) || isExpired(edit.event, expiry)) continue
    if (latest === undefined || isLater(edit.event, latest.event)) latest = edit
  }
  return latest
}

function isEditBy(edit: StoredEvent, sender: UserId): boolean {
  if (edit.sender !== sender || (edit.flags & EventFlag.redacted) !== 0) return false
  return edit.type === 'm.room.encrypted' || edit.content['m.new_content'] !== undefined
}

function isLater(a: StoredEvent, b: StoredEvent): boolean {
  if (a.originServerTs !== b.originServerTs) return a.originServerTs > b.originServerTs
  return a.eventId > b.eventId
}

/** @param mark of `engine.events`, from before the row was read */
function eventOfRow(engine: RoomEngine, room: RoomInfo, row: EventRow, mark: number): StoredEvent {
  const held = engine.events.get(row.event_id as EventId)
  if (held !== undefined && held.nid === row.nid) return held
  const event = storedEventOfRow(room, row)
  return engine.events.fill(event.eventId, event, mark)
}

/** https://spec.matrix.org/v1.19/client-server-api/#server-side-aggregation-of-mthread-relationships */
async function bundleThreads(
  context: BundleContext,
  parents: readonly StoredEvent[],
): Promise<Map<EventId, string>> {
  const { engine, room, userId, scope } = context
  const roots = parents.filter(({ content }) => relationOf(content) === undefined)
  const bundles = new Map<EventId, string>()
  if (roots.length === 0) return bundles
  const ids = roots.map(({ eventId }) => eventId)
  const mark = engine.events.mark()
  const rows = await listThreadSummaries(engine.db, scope, ids, userId)
  const rowOf = new Map(rows.map((row) => [row.event_id, row]))
  const latest = rows
    .filter(({ flags }) => (flags & HIDDEN) === 0)
    .map((row) => eventOfRow(engine, room, row, mark))
  const visible = await filterVisible(engine, room, userId, latest)
  const related = visible.map(({ event }) => event).filter((event) => mayHaveBundle(engine, event))
  const inner = related.length === 0 ? NONE : formatBundles(await bundleDirect(context, related))
  const senders = new Map(roots.map(({ eventId, sender }) => [eventId as string, sender]))
  for (const one of visible) {
    const row: ThreadRow = rowOf.get(one.event.eventId)!
    const json = await context.render(one, inner.get(one.event.eventId))
    const participated = row.own === 1 || senders.get(row.parent_event_id) === userId
    bundles.set(
      row.parent_event_id as EventId,
      `{"latest_event":${json},"count":${row.replies},"current_user_participated":${participated}}`,
    )
  }
  return bundles
}
