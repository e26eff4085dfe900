import type { JsonObject } from '@causeway/matrix/events/pdu.ts'

/** State event by which a room says how long its messages live. */
export const RETENTION_TYPE = 'm.room.retention'

/** What the operator says of how long messages live, in milliseconds; what is absent is not limited. */
export interface RetentionLimits {
  /** Of rooms that say nothing: messages are kept at least, and at most, so long. */
  readonly defaultMin?: number | undefined
  readonly defaultMax?: number | undefined
  /** Whatever a room says, its messages are kept no shorter, and no longer. */
  readonly allowedMin?: number | undefined
  readonly allowedMax?: number | undefined
}

/** A number of milliseconds as rooms say it; undefined for anything else. */
function readLifetime(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

/**
 * How long messages of a room are kept, in milliseconds; undefined: without an end. What a room does not say, or says in
 * a way that makes no sense, is as the operator has it; what is promised to be kept is kept longer than what is said to go.
 * https://github.com/matrix-org/matrix-spec-proposals/pull/1763
 * @param content of the room's `m.room.retention`, if it has one
 */
export function lifetimeOf(limits: RetentionLimits, content: JsonObject | undefined): number | undefined {
  const max = readLifetime(content?.['max_lifetime']) ?? limits.defaultMax
  if (max === undefined) return undefined
  const min = readLifetime(content?.['min_lifetime']) ?? limits.defaultMin ?? 0
  const wanted = Math.max(min, max)
  return Math.min(Math.max(wanted, limits.allowedMin ?? 0), limits.allowedMax ?? Number.MAX_SAFE_INTEGER)
}

/** Why a client must not send this as `m.room.retention`; undefined when it may. */
export function faultOfRetention({ min_lifetime: min, max_lifetime: max }: JsonObject): string | undefined {
  for (const [name, value] of [
    ['min_lifetime', min],
    ['max_lifetime', max],
  ] as const) {
    if (value !== undefined && readLifetime(value) === undefined)
      return `${name} of ${RETENTION_TYPE} must be a number of milliseconds`
  }
  if (min === undefined || max === undefined || Number(min) <= Number(max)) return undefined
  return `min_lifetime of ${RETENTION_TYPE} must not be more than its max_lifetime`
}
