import type { JsonObject, JsonValue } from '../events/pdu.ts'

/** The value under a key of the object itself: `constructor` and `__proto__` are words like any other here. */
export function ownValue(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The text under a key, or undefined when there is none or it is something else. */
export function ownText(object: JsonObject, key: string): string | undefined {
  const value = ownValue(object, key)
  return typeof value === 'string' ? value : undefined
}
