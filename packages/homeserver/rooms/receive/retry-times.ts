import type { InboundPduRow } from '@causeway/store/tables/inbound-pdus.ts'

/**
 * What a waiting event refers to is asked for as it comes, then after each of these times in turn; then it is given up.
 * Each event has times of its own: what else arrives in the room neither uses up its attempts nor adds requests.
 */
const WAITS_MS = [10_000, 60_000, 300_000, 1_800_000] as const
const LONGEST_MS = WAITS_MS.at(-1)!

/** After a failure of our own. */
export const RETRY_MS: number = WAITS_MS[0]

/** How long to wait after one more attempt. */
export function waitAfter({ attempts }: Pick<InboundPduRow, 'attempts'>): number {
  return WAITS_MS[attempts] ?? LONGEST_MS
}

/** Whether everything was tried. */
export function isHopeless({ attempts }: Pick<InboundPduRow, 'attempts'>): boolean {
  return attempts > WAITS_MS.length
}

/** How long until the first of them is due, if there is any. */
export function untilNextDue(
  rows: readonly Pick<InboundPduRow, 'due_ts'>[],
  now: number,
): number | undefined {
  if (rows.length === 0) return undefined
  const next = Math.min(...rows.map((row) => row.due_ts))
  // A wall clock that was set back makes nobody wait longer than that.
  return Math.min(Math.max(0, next - now), LONGEST_MS)
}
