/** A value of an event's content as text; empty for what is none. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
