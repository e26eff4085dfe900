import type { EventId, RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import type { Cache } from '@causeway/store/cache/lru.ts'
import type { KeyedQueue } from '@causeway/store/cache/keyed-queue.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import type { Clock, Random } from '@causeway/store/clock/clock.ts'
import type { Database } from '@causeway/store/db/database.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { Log } from '@causeway/store/log/log.ts'
import { createKeyedQueue } from '@causeway/store/cache/keyed-queue.ts'
import { createKeyStore, weighKey, type KeyStore } from '@causeway/store/state/keys.ts'
import { weighNode } from '@causeway/store/state/node.ts'
import { createNodeStore, type NodeStore } from '@causeway/store/state/node-source.ts'
import { findMaxRoomNid } from '@causeway/store/tables/rooms.ts'
import type { RoomHead } from './head.ts'
import type { StateEntry } from './state-entry.ts'
import type { RoomInfo } from './stored-event.ts'
import { loadPartialRooms, type PartialRooms } from './join/partial-rooms.ts'
import type { PolicyPort } from './policy/policy-port.ts'
import { IGNORED_USERS } from './ignored-users.ts'
import { INVITE_PERMISSIONS, type InviteRules } from './invite-permissions.ts'
import { weighAuthGraph, type RoomAuthGraph } from './state/auth-graph.ts'
import { createLocalEchoes, type LocalEchoes } from './local-echoes.ts'
import { createMembershipIndex, type MembershipIndex } from './membership-index.ts'
import type { RetentionLimits } from './retention/lifetime.ts'
import { createRoomFigures, type RoomFigures } from './room-figures.ts'
import { createRelatedEvents, type RelatedEvents } from './related-events.ts'
import { createStickyEvents, type StickyEvents } from './sticky-events.ts'
import { NO_STICKY_LIMIT, type StickyLimit } from './sticky-limit.ts'
import { createThreadSubscriptions, type ThreadSubscriptions } from './thread-subscriptions.ts'
import { createUserSetting, type UserSetting } from './user-setting.ts'

/** What the rooms need from the outside. */
export interface RoomDeps {
  readonly serverName: ServerName
  readonly db: Database
  readonly log: Log
  readonly clock: Clock
  readonly random: Random
  readonly budget: MemoryBudget
  /** How policy servers are asked; without it, rooms that have one are closed. */
  readonly policy?: PolicyPort
  /** An event is being soft-failed since its room's policy server could not be asked: it has to be asked again. */
  onUnasked?: (roomId: RoomId, server: ServerName) => void
  /** How many sticky events other servers may have here; absent: as many as they like. */
  readonly stickyLimit?: StickyLimit
  /** How long messages live; absent: for ever. */
  readonly retention?: RetentionLimits | undefined
  /** A room's state was resolved to what none of the branches had, and that is durable: for the operator to look at. */
  readonly onStateReset?: (reset: StateReset) => void
}

/**
 * Keys of a room's state whose resolved value is that of no branch, nor the one that was there already: mostly a sign of
 * lost or forged history.
 */
export interface StateReset {
  readonly roomId: RoomId
  /** Of the resolved state. */
  readonly root: number
  /** At most ten. */
  readonly keys: readonly { readonly type: string; readonly stateKey: string; readonly eventId?: EventId }[]
  readonly count: number
}

/** A head with writes that are not durable yet. */
export interface BusyHead {
  readonly head: RoomHead
  /** How many. */
  writes: number
  /** Of the last of them; those before it settle before it does. */
  settled: Promise<unknown>
}

/** The warm part of the rooms: heads, queues, caches. One a process. */
export interface RoomEngine extends RoomDeps {
  /** One queue per room: nothing inside it awaits the network or another room (law 3). */
  readonly queue: KeyedQueue<RoomId>
  readonly heads: Cache<RoomId, RoomHead>
  /** Heads with writes that are not durable yet: they must not be shed, since their rows are behind them. */
  readonly busyHeads: Map<RoomId, BusyHead>
  readonly rooms: Cache<RoomId, RoomInfo>
  readonly roomsByNid: Cache<number, RoomInfo>
  readonly events: Cache<EventId, StoredEvent>
  /** State events by room number and state event number. */
  readonly stateEntries: Cache<string, StateEntry>
  readonly nodes: NodeStore
  readonly keys: KeyStore
  /** By room number. */
  readonly authGraphs: Cache<number, RoomAuthGraph>
  /** By room number and state roots: the root that they resolve to. */
  readonly resolutions: Cache<string, number>
  readonly members: MembershipIndex
  readonly echoes: LocalEchoes
  readonly ignored: UserSetting<readonly string[]>
  readonly invitePermissions: UserSetting<InviteRules>
  readonly threads: ThreadSubscriptions
  readonly sticky: StickyEvents
  /** Of other servers. */
  readonly stickyLimit: StickyLimit
  readonly related: RelatedEvents
  /** What single rooms cost, for the operator. */
  readonly figures: RoomFigures
  /** Rooms whose members are not all here yet. */
  readonly partial: PartialRooms
  /** The number of the next new room. */
  allocateRoomNid(): number
}

/** Rough size in memory of what hangs on an event: its JSON in two forms, and its objects. */
export function weighEvent(event: StoredEvent): number {
  return 600 + 4 * event.clientJson.length
}

/** Reads what has to be known before the first write. */
export async function createRoomEngine(deps: RoomDeps): Promise<RoomEngine> {
  let lastRoomNid = await findMaxRoomNid(deps.db)
  const { budget } = deps
  return {
    ...deps,
    queue: createKeyedQueue(),
    heads: budget.cache({
      name: 'room_heads',
      share: 0.15,
      weigh: (head: RoomHead) => 2_000 + head.state.size * 1_500,
    }),
    busyHeads: new Map(),
    rooms: budget.cache({ name: 'rooms', share: 0.01, weigh: () => 300 }),
    roomsByNid: budget.cache({ name: 'rooms_by_nid', share: 0.01, weigh: () => 100 }),
    events: budget.cache({ name: 'events', share: 0.2, weigh: weighEvent }),
    stateEntries: budget.cache({
      name: 'state_events',
      share: 0.15,
      weigh: (entry: StateEntry) => 2 * weighEvent(entry.stored),
    }),
    nodes: createNodeStore(deps.db, budget.cache({ name: 'state_nodes', share: 0.06, weigh: weighNode })),
    keys: createKeyStore(deps.db, budget.cache({ name: 'state_keys', share: 0.05, weigh: weighKey })),
    authGraphs: budget.cache({ name: 'auth_graphs', share: 0.06, weigh: weighAuthGraph }),
    resolutions: budget.cache({ name: 'resolutions', share: 0.01, weigh: () => 200 }),
    members: createMembershipIndex(deps.db, budget, (userId) => userId.endsWith(`:${deps.serverName}`)),
    echoes: createLocalEchoes(20_000),
    ignored: createUserSetting(deps.db, budget, IGNORED_USERS),
    invitePermissions: createUserSetting(deps.db, budget, INVITE_PERMISSIONS),
    threads: createThreadSubscriptions(deps.db, budget),
    sticky: await createStickyEvents(deps.db, budget, deps.clock),
    stickyLimit: deps.stickyLimit ?? NO_STICKY_LIMIT,
    related: createRelatedEvents(deps.log.head(), 20_000),
    figures: createRoomFigures(),
    partial: await loadPartialRooms(deps.db),
    allocateRoomNid: () => ++lastRoomNid,
  }
}
