import type { NewNode, StateChange } from './apply.ts'
import { decodeNode, encodeNode } from './node.ts'
import type { NodeSource } from './node-source.ts'
import type { StateNode } from './node.ts'
import { applyChanges } from './tree.ts'

/** Test support: one room's nodes in memory, in their stored form, with a count of what is touched. */
export class MemoryNodes implements NodeSource {
  readonly rows = new Map<number, Uint8Array>()
  readonly touched = new Set<number>()
  #next = 1

  readonly allocNode = (): number => this.#next++

  peek(): undefined {
    return undefined
  }

  async load(_roomNid: number, nodeNids: readonly number[]): Promise<ReadonlyMap<number, StateNode>> {
    const found = new Map<number, StateNode>()
    for (const nodeNid of nodeNids) {
      const bytes = this.rows.get(nodeNid)
      if (bytes === undefined) throw new Error(`There is no node ${nodeNid}`)
      this.touched.add(nodeNid)
      found.set(nodeNid, decodeNode(bytes))
    }
    return found
  }

  add(nodes: readonly NewNode[]): void {
    for (const { nodeNid, node } of nodes) {
      if (this.rows.has(nodeNid)) throw new Error(`Node ${nodeNid} is made twice`)
      this.rows.set(nodeNid, encodeNode(node))
    }
  }

  /** Applies changes and keeps the new nodes; the new root. */
  async change(root: number, changes: readonly StateChange[]): Promise<number> {
    const { root: newRoot, newNodes } = await applyChanges(this, 1, root, changes, this.allocNode)
    this.add(newNodes)
    return newRoot
  }
}
