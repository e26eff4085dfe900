import type { Membership } from '@causeway/matrix/event-auth/membership.ts'
import { packStateKey } from '@causeway/matrix/event-auth/state-key.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { MemberChange } from '@causeway/store/log/entry.ts'
import { diffStates, type StateDifference } from '@causeway/store/state/diff.ts'
import { readerOf, readStateEntries } from '../current-state.ts'
import type { RoomEngine } from '../engine.ts'
import type { RoomWrite } from '../room-write.ts'
import type { StateEntry } from '../state-entry.ts'

/** One key of the room's state that is another one than before. */
export interface StateChange {
  readonly type: string
  readonly stateKey: string
  readonly before: StateEntry | undefined
  readonly after: StateEntry | undefined
}

/**
 * How two states of the room differ, with the events. Costs the difference. Only inside the room's queue.
 * @param isMeant keys that are left out where it says no, before any event is read
 */
export async function listStateChanges(
  engine: RoomEngine,
  { head }: RoomWrite,
  { from, to }: { readonly from: number; readonly to: number },
  isMeant: (difference: StateDifference) => boolean = () => true,
): Promise<StateChange[]> {
  const differences = (await diffStates(head.nodes, head.roomNid, from, to)).filter(isMeant)
  const nids = differences.flatMap(({ before, after }) => [before, after].filter((nid) => nid !== undefined))
  const entries = await readStateEntries(readerOf(engine, head), head, nids)
  return differences.map(({ before, after }) => {
    const was = before === undefined ? undefined : entries.get(before)
    const is = after === undefined ? undefined : entries.get(after)
    const { type, stateKey } = (is ?? was)!.stored
    return { type, stateKey: stateKey!, before: was, after: is }
  })
}

/** Makes a resolved state the room's current one for the rest of the write. */
export async function advanceRoomState(engine: RoomEngine, write: RoomWrite, root: number): Promise<void> {
  const change = { from: write.stateRoot, to: root }
  for (const { type, stateKey, after } of await listStateChanges(engine, write, change)) {
    write.state.set(packStateKey(type, stateKey), after ?? null)
  }
  write.stateRoot = root
  write.memberChanges = []
}

/**
 * What a write in which branches met makes of the members, as a whole: nothing where it only went on from where
 * the room was, since then its events say it themselves.
 */
export async function tellMemberChanges(engine: RoomEngine, write: RoomWrite): Promise<void> {
  if (write.memberChanges === undefined) return
  const change = { from: write.head.stateRoot, to: write.stateRoot }
  const changes = await listStateChanges(engine, write, change)
  write.memberChanges = changes.flatMap(memberChangeOf)
}

/** What a change of state makes of a member, if it is one. */
export function memberChangeOf({ type, stateKey, before, after }: StateChange): MemberChange[] {
  const event = after ?? before
  if (type !== 'm.room.member' || event === undefined) return []
  return [
    {
      userId: stateKey as UserId,
      before: membershipOf(before),
      membership: membershipOf(after) ?? 'leave',
      event: event.stored,
    },
  ]
}

function membershipOf(entry: StateEntry | undefined): Membership | undefined {
  return entry?.stored.content['membership'] as Membership | undefined
}
