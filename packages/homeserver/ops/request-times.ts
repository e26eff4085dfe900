import type { CompiledEndpoint } from '../http/compile-endpoint.ts'
import type { Sample } from './metrics.ts'

/** Upper bounds in seconds. Long polls end in the last ones. */
export const BUCKETS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30,
]

const STATUS_CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const

interface Row {
  readonly operation: string
  readonly buckets: Float64Array
  readonly statuses: Float64Array
  seconds: number
  count: number
}

/**
 * How long requests took, by operation. Counting is a few additions into typed arrays; a metrics library's own
 * histogram hashes its labels on every observation, which is more than the routing costs.
 */
export class RequestTimes {
  readonly #rows: Row[] = []
  readonly #unmatched = createRow('unmatched')

  /** `observe` of the router. */
  readonly observe = (compiled: CompiledEndpoint | undefined, status: number, ms: number): void => {
    const row = compiled === undefined ? this.#unmatched : this.#row(compiled)
    const seconds = ms / 1000
    row.count += 1
    row.seconds += seconds
    row.statuses[Math.floor(status / 100) - 1]! += 1
    let bucket = 0
    while (bucket < BUCKETS.length && seconds > BUCKETS[bucket]!) bucket += 1
    row.buckets[bucket]! += 1
  };

  /** Samples of a histogram, of the operations that were used. */
  *times(): Iterable<Sample> {
    for (const row of this.#used()) {
      const { operation } = row
      let sum = 0
      for (const [index, bound] of [...BUCKETS, '+Inf'].entries()) {
        sum += row.buckets[index]!
        yield { suffix: '_bucket', labels: { operation, le: String(bound) }, value: sum }
      }
      yield { suffix: '_sum', labels: { operation }, value: row.seconds }
      yield { suffix: '_count', labels: { operation }, value: row.count }
    }
  }

  /** Samples of a counter: answers by operation and class of status. */
  *answers(): Iterable<Sample> {
    for (const { operation, statuses } of this.#used()) {
      for (const [index, status] of STATUS_CLASSES.entries()) {
        if (statuses[index]! > 0) yield { labels: { operation, status }, value: statuses[index]! }
      }
    }
  }

  #row(compiled: CompiledEndpoint): Row {
    const known = this.#rows[compiled.index]
    if (known !== undefined) return known
    const row = createRow(compiled.endpoint.operation)
    this.#rows[compiled.index] = row
    return row
  }

  #used(): Row[] {
    return [...this.#rows, this.#unmatched].filter((row) => row !== undefined && row.count > 0)
  }
}

function createRow(operation: string): Row {
  const buckets = new Float64Array(BUCKETS.length + 1)
  return { operation, buckets, statuses: new Float64Array(STATUS_CLASSES.length), seconds: 0, count: 0 }
}
