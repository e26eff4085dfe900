/**
 * Whether a question to another server came to nothing on the way: unlike a refusal, that says nothing about what was
 * asked for, and the same question may be answered a moment later. Knows the failures of `FederationError` by shape.
 */
export function isOutage(error: unknown): boolean {
  const { kind, status = 0 } =
    (error as { failure?: { kind?: string; status?: number } } | null)?.failure ?? {}
  if (kind === 'refused') return status >= 500 || status === 429
  return kind === 'unreachable' || kind === 'backing-off' || kind === 'malformed'
}
