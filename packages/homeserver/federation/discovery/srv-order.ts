import type { Random } from '@causeway/store/clock/clock.ts'
import type { SrvRecord } from '../../outgoing/resolver.ts'

/** More are not tried. */
const MAX_TARGETS = 8

/** Takes one of them by chance, in proportion to the weights; those of weight 0 come last. */
function pick(records: SrvRecord[], random: Pick<Random, 'fraction'>): SrvRecord {
  const total = records.reduce((sum, { weight }) => sum + weight, 0)
  let at = random.fraction() * total
  const index = records.findIndex(({ weight }) => (at -= weight) < 0)
  return records.splice(Math.max(0, index), 1)[0]!
}

/**
 * Records in the order in which they are to be tried: by priority, and by chance among equals. A target of `.` says
 * that there is no such service. https://datatracker.ietf.org/doc/html/rfc2782
 */
export function orderSrv(records: readonly SrvRecord[], random: Pick<Random, 'fraction'>): SrvRecord[] {
  const usable = records.filter(({ target, port }) => target !== '' && target !== '.' && port > 0)
  const ordered: SrvRecord[] = []
  for (const priority of [...new Set(usable.map((one) => one.priority))].toSorted((a, b) => a - b)) {
    const equals = usable.filter((one) => one.priority === priority)
    while (equals.length > 0) ordered.push(pick(equals, random))
  }
  return ordered.slice(0, MAX_TARGETS)
}
