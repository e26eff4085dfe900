import type { RoomEngine } from '../engine.ts'
import { loadAuthGraph } from '../state/auth-graph.ts'
import type { RoomInfo } from '../stored-event.ts'

/**
 * Numbers of the auth chain of some state events: all that permits them, down to the create event. Walks numbers; no
 * event is read.
 */
export async function readAuthChain(
  engine: RoomEngine,
  room: RoomInfo,
  stateNids: readonly number[],
): Promise<Set<number>> {
  const { auth } = await loadAuthGraph(engine, room)
  const chain = new Set<number>()
  const queue = [...new Set(stateNids)]
  const walked = new Set(queue)
  // `queue` grows as it is walked.
  for (const stateNid of queue) {
    for (const parent of auth[stateNid] ?? []) {
      chain.add(parent)
      if (walked.has(parent)) continue
      walked.add(parent)
      queue.push(parent)
    }
  }
  return chain
}
