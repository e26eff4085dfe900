/** Ephemeral data as JSON text. A later item with the same key takes the place of an earlier one. */
export interface EphemeralItem {
  readonly key: string
  readonly json: string
}

/** Items that wait, newest per key; the oldest go when there are too many. */
export interface EphemeralBuffer {
  put(item: EphemeralItem): void
  /** Removes the first `limit` items and returns their texts. */
  take(limit: number): string[]
  size(): number
  clear(): void
}

const MAX_ITEMS = 1_000

export function createEphemeralBuffer(): EphemeralBuffer {
  const items = new Map<string, string>()
  return {
    put({ key, json }) {
      items.delete(key)
      items.set(key, json)
      if (items.size > MAX_ITEMS) items.delete(items.keys().next().value!)
    },
    take(limit) {
      const taken: string[] = []
      for (const [key, json] of items) {
        if (taken.length >= limit) break
        taken.push(json)
        items.delete(key)
      }
      return taken
    },
    size: () => items.size,
    clear: () => items.clear(),
  }
}
