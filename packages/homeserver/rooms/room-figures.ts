import type { RoomId } from '@causeway/matrix/ids/ids.ts'

/** Figures of single rooms since the start: exact for the rooms that matter, bounded in number. */
export interface RoomFigures {
  /** Branches that a room ends in, once more than one. */
  noteExtremities(roomId: RoomId, count: number): void
  /** The room's state was resolved over branches, which took a while. */
  noteResolution(roomId: RoomId, ms: number): void
  readonly extremities: TopList
  /** Milliseconds by room. */
  readonly resolutionMs: TopList
  /** Messages whose rows were removed with their room's history, and those that lost their content in their place. */
  readonly messages: { removed: number; cleared: number }
}

/** Rooms whose figures are kept: those with the greatest. */
const KEPT = 200

/** The greatest of many sums, by room. */
export class TopList {
  readonly #values = new Map<RoomId, number>()
  #rest = 0

  get(roomId: RoomId): number {
    return this.#values.get(roomId) ?? 0
  }

  /** Where there are too many, the least goes into what is summed up. */
  set(roomId: RoomId, value: number): void {
    if (this.#values.size < KEPT || this.#values.has(roomId)) {
      this.#values.set(roomId, value)
      return
    }
    const least = this.#least()
    const leastValue = this.get(least)
    this.#rest += Math.min(leastValue, value)
    if (leastValue >= value) return
    this.#values.delete(least)
    this.#values.set(roomId, value)
  }

  #least(): RoomId {
    let least: RoomId | undefined
    let leastValue = Infinity
    for (const [roomId, value] of this.#values) {
      if (value >= leastValue) continue
      least = roomId
      leastValue = value
    }
    return least!
  }

  delete(roomId: RoomId): void {
    this.#values.delete(roomId)
  }

  /** The rooms with the greatest, and the sum of all others. */
  top(count: number): { readonly rooms: readonly (readonly [RoomId, number])[]; readonly others: number } {
    const sorted = [...this.#values].toSorted((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    const others = sorted.slice(count).reduce((sum, [, value]) => sum + value, this.#rest)
    return { rooms: sorted.slice(0, count), others }
  }
}

export function createRoomFigures(): RoomFigures {
  const extremities = new TopList()
  const resolutionMs = new TopList()
  return {
    extremities,
    resolutionMs,
    messages: { removed: 0, cleared: 0 },
    noteExtremities(roomId, count) {
      if (count > 1) extremities.set(roomId, count)
      else extremities.delete(roomId)
    },
    noteResolution(roomId, ms) {
      resolutionMs.set(roomId, resolutionMs.get(roomId) + ms)
    },
  }
}
