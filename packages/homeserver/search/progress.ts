import type { Logger } from '../ops/log.ts'

/** Fewer entries than this are not worth a word. */
const MANY = 20_000
const PARTS = 10

/** Tells the operator how far a long piece of work has got. */
export interface Progress {
  /** `done` of `all`, both of which only grow. */
  at(done: number, all: number): void
}

/** Says that the index is being filled, each tenth of it, and that it is full. */
export function createProgress(logger: Logger, what: string): Progress {
  let filling: { readonly from: number; readonly to: number; told: number } | undefined
  return {
    at(done, all) {
      if (filling === undefined) {
        if (all - done < MANY) return
        filling = { from: done, to: all, told: 0 }
        logger.info('the search index is being filled; searches find what it has', { what, left: all - done })
        return
      }
      const part = Math.floor(((done - filling.from) / (filling.to - filling.from)) * PARTS)
      if (part <= filling.told && done < filling.to) return
      filling.told = part
      const isFull = done >= filling.to
      if (isFull) logger.info('the search index is full', { what })
      else logger.info('the search index is being filled', { what, percent: part * PARTS, left: all - done })
      if (isFull) filling = undefined
    },
  }
}
