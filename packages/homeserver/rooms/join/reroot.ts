import type { StateChange } from '@causeway/store/state/apply.ts'
import { diffStates } from '@causeway/store/state/diff.ts'
import { changeRoot, type RoomWrite } from '../room-write.ts'

/** The same states with more in them: what was missing at a root was missing at all that were built on it. */
export interface Rerooting {
  rootOf(root: number): Promise<number>
}

/**
 * Each new root is made of the completed one by what differs between the two old ones, so that they share what they
 * shared before. @param from the root that lacked something, @param to the one that has it
 */
export function createRerooting(write: RoomWrite, from: number, to: number): Rerooting {
  const made = new Map([[from, to]])
  return {
    async rootOf(root) {
      const known = made.get(root)
      if (known !== undefined) return known
      const { nodes, roomNid } = write.head
      const differences = await diffStates(nodes, roomNid, from, root)
      const changes = differences.map(({ keyNid, after }): StateChange => [keyNid, after])
      const completed = await changeRoot(write, to, changes)
      made.set(root, completed)
      return completed
    },
  }
}
