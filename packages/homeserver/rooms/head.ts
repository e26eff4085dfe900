import type { EventId, RoomId } from '@causeway/matrix/ids/ids.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import type { RoomRow } from '@causeway/store/tables/rooms.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import type { StateKey } from '@causeway/matrix/event-auth/state-key.ts'
import type { KeyOverlay } from '@causeway/store/state/keys.ts'
import type { NodeOverlay } from '@causeway/store/state/node-source.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { StateEntry } from './state-entry.ts'

/** A newest event that no other event of the room points at yet. */
export interface Extremity {
  readonly eventId: EventId
  readonly depth: number
  /** Root of the state after it, on its branch. */
  readonly root: number
  /** Room versions 1 and 2: its reference hash, which those who point at it must name. */
  readonly hash?: string
}

/**
 * The writing end of a room, kept in memory while the room is active, so that a send reads nothing from disk.
 * Advanced when a write is handed to the log, before it is durable; dropped when a write failed, to be read
 * again from its row. Touched only inside the room's queue.
 */
export interface RoomHead {
  readonly roomId: RoomId
  readonly roomNid: number
  readonly rules: RoomVersionRules
  /** A write that was built on it failed: what it says never came to be, and nobody builds on it any more. */
  lost: boolean
  /** Version of the room's row that the next write expects. */
  version: number
  extremities: readonly Extremity[]
  /** Root of the current state: resolved over the forward extremities. */
  stateRoot: number
  /** Next free numbers for state tree nodes, interned state keys and state events. */
  next: StateNumbers
  /** Current state as far as it was asked for; null: known to be absent. */
  readonly state: Map<StateKey, StateEntry | null>
  /** State events of writes that are not committed yet, by their number. */
  readonly entries: Map<number, StateEntry>
  /** Events of writes that are not committed yet. */
  readonly pending: Map<EventId, StoredEvent>
  /** State nodes of writes that are not committed yet, over the stored ones. */
  readonly nodes: NodeOverlay
  /** The same for interned state keys. */
  readonly keys: KeyOverlay
}

export interface StateNumbers {
  readonly node: number
  readonly key: number
  readonly event: number
}

interface StoredHead {
  /** Id, depth, reference hash (versions 1 and 2; else 0), root where it is not `r`. */
  readonly e: readonly (readonly [string, number, (string | 0)?, number?])[]
  readonly r: number
  readonly n: readonly [number, number, number]
}

/** The JSON kept in the room's row. Short keys: it is rewritten with every commit that touches the room. */
export function formatHead(head: Pick<RoomHead, 'extremities' | 'stateRoot' | 'next'>): string {
  const stored: StoredHead = {
    e: head.extremities.map(({ eventId, depth, hash, root }) =>
      root !== head.stateRoot
        ? [eventId, depth, hash ?? 0, root]
        : hash === undefined
          ? [eventId, depth]
          : [eventId, depth, hash],
    ),
    r: head.stateRoot,
    n: [head.next.node, head.next.key, head.next.event],
  }
  return JSON.stringify(stored)
}

/** The forward extremities as of a room's row, and the root of its current state: durable, outside the room's queue. */
export function readStoredExtremities(row: Pick<RoomRow, 'head'>): {
  readonly eventIds: readonly EventId[]
  readonly root: number
} {
  const { e, r } = JSON.parse(row.head) as StoredHead
  return { eventIds: e.map(([eventId]) => eventId as EventId), root: r }
}

/** Reads a room's row. Throws when the row names a room version that this program does not implement. */
export function parseHead(row: RoomRow, overlays: Pick<RoomHead, 'nodes' | 'keys'>): RoomHead {
  const rules = findRoomVersion(row.room_version)
  if (rules === undefined)
    throw new Error(`room ${row.room_id} has the unknown room version ${row.room_version}`)
  const stored = JSON.parse(row.head) as StoredHead
  return {
    roomId: row.room_id as RoomId,
    roomNid: row.nid,
    rules,
    version: row.version,
    extremities: stored.e.map(([id, depth, hash, root]) => {
      const extremity = { eventId: id as EventId, depth, root: root ?? stored.r }
      return typeof hash === 'string' ? { ...extremity, hash } : extremity
    }),
    stateRoot: stored.r,
    next: { node: stored.n[0], key: stored.n[1], event: stored.n[2] },
    state: new Map(),
    entries: new Map(),
    pending: new Map(),
    lost: false,
    ...overlays,
  }
}
