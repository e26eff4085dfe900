const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** What the specification recommends where the answer says nothing of its own. */
const DEFAULT_MS = 24 * HOUR_MS
const MAX_MS = 48 * HOUR_MS
/** Shorter ones would have us ask before every request. */
const MIN_MS = 5 * MINUTE_MS
const MAX_ERROR_MS = HOUR_MS
const FIRST_ERROR_MS = MINUTE_MS

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

function headerOf(headers: Headers, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : value?.join(',')
}

/** What `Cache-Control` or `Expires` allow; undefined where they say nothing that can be understood. */
function statedLifetime(headers: Headers, now: number): number | undefined {
  const control = headerOf(headers, 'cache-control')?.toLowerCase() ?? ''
  if (/(^|[\s,])no-(store|cache)\b/.test(control)) return 0
  const maxAge = /(?:^|[\s,])max-age\s*=\s*"?(\d{1,12})\b/.exec(control)?.[1]
  if (maxAge !== undefined) return Number(maxAge) * 1000
  const expires = headerOf(headers, 'expires')
  if (expires === undefined) return undefined
  const at = Date.parse(expires)
  // An invalid date, "0" above all, means that it has expired (RFC 9111 §5.3).
  return Number.isNaN(at) ? 0 : at - now
}

/** How long (ms) a good answer is believed. https://spec.matrix.org/v1.19/server-server-api/#resolving-server-names */
export function lifetimeOf(headers: Headers, now: number): number {
  return Math.min(MAX_MS, Math.max(MIN_MS, statedLifetime(headers, now) ?? DEFAULT_MS))
}

/** How long (ms) a failure is believed: doubled with each one in a row, an hour at most. */
export function errorLifetime(failures: number, jitter: number): number {
  return Math.min(MAX_ERROR_MS, FIRST_ERROR_MS * 2 ** Math.min(failures - 1, 10) * (0.75 + jitter / 2))
}
