import type { StateChange } from '@causeway/store/state/apply.ts'
import { diffStates } from '@causeway/store/state/diff.ts'
import { setStateRoots, type StateRootsRow } from '@causeway/store/tables/state-roots.ts'
import { changeRoot, type RoomWrite } from '../room-write.ts'

/**
 * The same states with more in them: what was missing at a root was missing at all that were built on it. Each new
 * root is made from that of a neighbor by what differs between the two, so that they share what they shared before.
 */
export class Rerooting {
  readonly #write: RoomWrite
  readonly #roots: Map<number, number>
  readonly #from: number

  /** @param from the root that lacked something, @param to the one that has it */
  constructor(write: RoomWrite, from: number, to: number) {
    this.#write = write
    this.#from = from
    this.#roots = new Map([[from, to]])
  }

  /** @param near a root that was asked for before, and is likely to differ little */
  async rootOf(root: number, near: number): Promise<number> {
    const known = this.#roots.get(root)
    if (known !== undefined) return known
    const base = this.#roots.has(near) ? near : this.#from
    const { nodes, roomNid } = this.#write.head
    const changes = (await diffStates(nodes, roomNid, base, root)).map(({ keyNid, after }): StateChange => [
      keyNid,
      after,
    ])
    const made = await changeRoot(this.#write, this.#roots.get(base)!, changes)
    this.#roots.set(root, made)
    return made
  }

  /** Makes the rows of events name the new roots; the numbers of those whose row changes. */
  async rows(rows: readonly StateRootsRow[]): Promise<number[]> {
    const changed: number[] = []
    let last = this.#from
    // Refused events stand first, by their numbers: what they build on is known only after the others.
    const inOrder = [...rows.filter((row) => row.nid > 0), ...rows.filter((row) => row.nid < 0)]
    for (const row of inOrder) {
      if (row.nid < 0 && !this.#roots.has(row.state_before)) continue
      const before = await this.rootOf(row.state_before, last)
      const root = await this.rootOf(row.state_root, row.state_before)
      const roomRoot = row.room_root === 0 ? root : await this.rootOf(row.room_root, last)
      last = row.room_root === 0 ? row.state_root : row.room_root
      this.#write.steps.push(
        setStateRoots(row.nid, { root, before, roomRoot: roomRoot === root ? 0 : roomRoot }),
      )
      changed.push(row.nid)
    }
    return changed
  }
}
