/** A binary heap: `push` and `pop` in O(log n), the smallest by `compare` first. */
export interface PriorityQueue<T> {
  push(item: T): void
  pop(): T | undefined
}

export function createPriorityQueue<T>(compare: (a: T, b: T) => number): PriorityQueue<T> {
  const heap: T[] = []
  return {
    push(item) {
      heap.push(item)
      siftUp(heap, compare)
    },
    pop() {
      const first = heap[0]
      const last = heap.pop()
      if (heap.length > 0) {
        heap[0] = last!
        siftDown(heap, compare)
      }
      return first
    },
  }
}

function siftUp<T>(heap: T[], compare: (a: T, b: T) => number): void {
  let at = heap.length - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (compare(heap[parent]!, heap[at]!) <= 0) return
    swap(heap, at, parent)
    at = parent
  }
}

function siftDown<T>(heap: T[], compare: (a: T, b: T) => number): void {
  let at = 0
  for (;;) {
    const left = 2 * at + 1
    if (left >= heap.length) return
    const right = left + 1
    const child = right < heap.length && compare(heap[right]!, heap[left]!) < 0 ? right : left
    if (compare(heap[at]!, heap[child]!) <= 0) return
    swap(heap, at, child)
    at = child
  }
}

function swap<T>(heap: T[], a: number, b: number): void {
  const item = heap[a]!
  heap[a] = heap[b]!
  heap[b] = item
}
