import { packStateKey, type StateKey } from '@causeway/matrix/event-auth/state-key.ts'
import type { EventId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { readStateEntries } from '../../current-state.ts'
import { loadAuthGraph } from '../../state/auth-graph.ts'
import type { StateEntry } from '../../state-entry.ts'
import type { RoomInfo } from '../../stored-event.ts'
import { listIds } from '../compare-states.ts'
import type { DoctorDeps } from '../with-patience.ts'
import type { ToldBeginning } from './ask-beginning.ts'
import type { RoomBeginning } from './find-beginning.ts'
import { proveOlder } from './prove-older.ts'

/**
 * What becomes of a key of the state before our join at which servers part from us. `agreed`: most say the same, and that
 * counts. `kept`: nobody shows anything that can be believed, so ours stays. `taken`: we have nothing there, and one thing
 * is shown to be older than our join. `resolved`: there is more than one such thing, and state resolution decides.
 */
export type Ruling = 'agreed' | 'kept' | 'taken' | 'resolved'

/** One such key. */
export interface BeginningDispute {
  readonly type: string
  readonly stateKey: string
  readonly ours: EventId | undefined
  /** What others have there, each with who says so; undefined: nothing. */
  readonly told: ReadonlyMap<EventId | undefined, readonly ServerName[]>
  readonly ruling: Ruling
  /** What may stand there from now on; several where state resolution decides; undefined: nothing. */
  readonly candidates: readonly (EventId | undefined)[]
}

export interface SettledBeginning {
  readonly disputes: readonly BeginningDispute[]
  /** The state before our join is what these resolve to; undefined where it is as it was. */
  readonly states: readonly (readonly EventId[])[] | undefined
}

/** Keys that servers may part from us at: each event of these is read. */
const MAX_DISPUTES = 100_000

/**
 * Decides what the state before our join was, key by key, where servers that were there part from what the resident told
 * us. Only events count that verify and that their own auth events allow. See docs/decisions/0026-mending-beginnings.md
 */
export async function settleBeginning(
  deps: DoctorDeps,
  room: RoomInfo,
  beginning: RoomBeginning,
  told: readonly ToldBeginning[],
): Promise<SettledBeginning> {
  const views = await readViews(deps, room, beginning, told)
  const open = findOpen(views, told.length)
  const answered = views.servers.map(({ server }) => server)
  const proven = await proveOlder(deps, room, beginning, open, answered)
  const disputes = [...views.keys].map((key) => rule(views, key, proven, told.length))
  const isSame = disputes.every(({ candidates, ours }) => candidates.length === 1 && candidates[0] === ours)
  return { disputes, states: isSame ? undefined : statesOf(views, disputes) }
}

/** The states that are compared, as far as they differ. */
interface Views {
  readonly all: readonly EventId[]
  /** Keys at which somebody differs from us. */
  readonly keys: ReadonlySet<StateKey>
  readonly names: ReadonlyMap<StateKey, { readonly type: string; readonly stateKey: string }>
  readonly ours: ReadonlyMap<StateKey, EventId>
  /** Those that answered, with what each has at these keys. */
  readonly servers: readonly {
    readonly server: ServerName
    readonly at: ReadonlyMap<StateKey, EventId>
  }[]
}

async function readViews(
  { engine }: DoctorDeps,
  room: RoomInfo,
  { root, join }: RoomBeginning,
  told: readonly ToldBeginning[],
): Promise<Views> {
  const own = await listIds(engine, room, root)
  const graph = await loadAuthGraph(engine, room)
  const isSound = (id: EventId): boolean => {
    const nid = graph.byId.get(id)
    return nid !== undefined && !graph.rejected.has(nid)
  }
  const answered = told.filter(({ failure }) => failure === undefined)
  const states = answered.map(({ ids }) => ids.filter(isSound))
  const different = new Set<EventId>()
  for (const ids of states) for (const id of ids) if (!own.has(id)) different.add(id)
  for (const state of states.map((ids) => new Set(ids))) {
    for (const id of own.keys()) if (!state.has(id)) different.add(id)
  }
  // What our join follows may stand beside what it replaced.
  const wanted = [...different].slice(0, MAX_DISPUTES)
  for (const id of join.prevEventIds) if (own.has(id)) wanted.push(id)
  const nids = wanted.flatMap((id) => graph.byId.get(id) ?? [])
  const entries = await readStateEntries(engine, room, nids)
  const known = new Map([...entries.values()].map((entry) => [entry.stored.eventId, entry]))
  const names = new Map(
    [...known.values()].map(({ stored: { type, stateKey = '' } }) => [
      packStateKey(type, stateKey),
      { type, stateKey },
    ]),
  )
  const servers = answered.map(({ server }, index) => ({ server, at: keysOf(states[index]!, known) }))
  const ours = keysOf([...own.keys()], known)
  const keys = new Set(
    [...names.keys()].filter((key) => servers.some(({ at }) => at.get(key) !== ours.get(key))),
  )
  return { all: [...own.keys()], keys, names, ours, servers }
}

function keysOf(ids: readonly EventId[], known: ReadonlyMap<EventId, StateEntry>): Map<StateKey, EventId> {
  const at = new Map<StateKey, EventId>()
  for (const id of ids) {
    const stored = known.get(id)?.stored
    if (stored !== undefined) at.set(packStateKey(stored.type, stored.stateKey ?? ''), id)
  }
  return at
}

function votesAt({ servers }: Views, key: StateKey): Map<EventId | undefined, ServerName[]> {
  const votes = new Map<EventId | undefined, ServerName[]>()
  for (const { server, at } of servers) {
    const value = at.get(key)
    votes.set(value, [...(votes.get(value) ?? []), server])
  }
  return votes
}

/** What two at least, and more than half of all that were asked, say alike. Who does not answer says nothing. */
function agreedOf(
  votes: ReadonlyMap<EventId | undefined, readonly ServerName[]>,
  asked: number,
): { readonly value: EventId | undefined } | undefined {
  for (const [value, { length }] of votes) if (length >= 2 && length * 2 > asked) return { value }
  return undefined
}

/** Events of others that nothing speaks for but that they were told, perhaps. */
function findOpen(views: Views, asked: number): Set<EventId> {
  const open = new Set<EventId>()
  for (const key of views.keys) {
    const votes = votesAt(views, key)
    if (agreedOf(votes, asked) !== undefined) continue
    for (const value of votes.keys())
      if (value !== undefined && value !== views.ours.get(key)) open.add(value)
  }
  return open
}

function rule(views: Views, key: StateKey, proven: ReadonlySet<EventId>, asked: number): BeginningDispute {
  const told = votesAt(views, key)
  const ours = views.ours.get(key)
  const base = { ...views.names.get(key)!, ours, told }
  const agreed = agreedOf(told, asked)
  if (agreed !== undefined) return { ...base, ruling: 'agreed', candidates: [agreed.value] }
  const shown = [...told.keys()].filter((id) => id !== undefined && (id === ours || proven.has(id)))
  const candidates = [...new Set([...(ours === undefined ? [] : [ours]), ...shown])]
  if (candidates.length > 1) return { ...base, ruling: 'resolved', candidates }
  if (candidates.length === 0) return { ...base, ruling: 'kept', candidates: [undefined] }
  return { ...base, ruling: candidates[0] === ours ? 'kept' : 'taken', candidates }
}

/** Where there is but one candidate, all have it; else each what it told, or what we had where that does not count. */
function statesOf(views: Views, disputes: readonly BeginningDispute[]): EventId[][] {
  const disputed = new Set(disputes.flatMap(({ ours }) => ours ?? []))
  const settled = disputes.flatMap(({ candidates }) => (candidates.length === 1 ? (candidates[0] ?? []) : []))
  const shared = [...views.all.filter((id) => !disputed.has(id)), ...settled]
  const open = disputes.filter(({ candidates }) => candidates.length > 1)
  if (open.length === 0) return [shared]
  const branches = [views.ours, ...views.servers.map(({ at }) => at)]
  return branches.map((at) => [
    ...shared,
    ...open.flatMap(({ type, stateKey, ours, candidates }) => {
      const value = at.get(packStateKey(type, stateKey))
      return value !== undefined && candidates.includes(value) ? value : (ours ?? [])
    }),
  ])
}
