import type { JsonObject, Pdu } from './pdu.ts'

/** The longest that an event is sticky, whatever it says: 1 hour. */
export const MAX_STICKY_MS = 3_600_000

/** The key of an event that says for how long it is delivered reliably; not protected from redaction. */
export const STICKY_KEY = 'msc4354_sticky'

/**
 * For how many milliseconds an event says it is sticky; undefined for one that is not, or says so in no valid way. Not
 * yet bounded by `MAX_STICKY_MS`. https://github.com/matrix-org/matrix-spec-proposals/pull/4354
 */
export function stickyDurationOf(pdu: Readonly<Record<string, unknown>>): number | undefined {
  const sticky = pdu[STICKY_KEY]
  if (typeof sticky !== 'object' || sticky === null || Array.isArray(sticky)) return undefined
  const { duration_ms: duration } = sticky as JsonObject
  return typeof duration === 'number' && Number.isSafeInteger(duration) && duration >= 0
    ? duration
    : undefined
}

/**
 * Until when an event is sticky, in milliseconds since 1970; undefined: it never is.
 * @param received when this server got it: what its sender says of the time may be earlier, and not later
 */
export function stickyUntil(
  pdu: Pick<Pdu, 'origin_server_ts'> & Readonly<Record<string, unknown>>,
  received: number,
): number | undefined {
  const duration = stickyDurationOf(pdu)
  if (duration === undefined) return undefined
  return Math.min(received, pdu.origin_server_ts) + Math.min(duration, MAX_STICKY_MS)
}
