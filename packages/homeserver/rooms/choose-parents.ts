import { selectAuthEvents } from '@causeway/matrix/event-auth/select-auth-events.ts'
import { getMany } from '@causeway/store/state/tree.ts'
import type { Extremity } from './head.ts'
import type { EventDraft, RoomWrite } from './room-write.ts'

/**
 * Forward extremities in the order in which an event of ours should take them for its parents, when there are more
 * than it can name: first those whose branches have what authorises the event as the room has it now, of equals the
 * deepest. How deep a branch is, and what its state is, may be an invention of another server: if the depth alone
 * decided, branches that do not know of the sender would leave us without a word in the room.
 */
export async function rankParents(write: RoomWrite, draft: EventDraft): Promise<Extremity[]> {
  const { head, stateRoot, extremities } = write
  const names = [...selectAuthEvents(head.rules, draft), ['m.room.create', ''] as const].map(
    ([type, stateKey]) => ({ type, stateKey }),
  )
  const keyNids = (await head.keys.find(head.roomNid, names)).filter((keyNid) => keyNid !== undefined)
  const valuesAt = (root: number): Promise<readonly (number | undefined)[]> =>
    getMany(head.nodes, head.roomNid, root, keyNids)
  const current = await valuesAt(stateRoot)
  const ranked = await Promise.all(
    extremities.map(async (extremity) => {
      const values = await valuesAt(extremity.root)
      return { extremity, shared: values.filter((value, at) => value === current[at]).length }
    }),
  )
  return ranked
    .toSorted((a, b) => b.shared - a.shared || b.extremity.depth - a.extremity.depth)
    .map(({ extremity }) => extremity)
}
