/** The counter of what is not kept (typing, presence): starts anew with the process. */
export interface VolatileStream {
  position(): number
  /** Takes the next position, for a change that is about to be announced. */
  next(): number
}

export function createVolatileStream(): VolatileStream {
  let last = 0
  return { position: () => last, next: () => ++last }
}
