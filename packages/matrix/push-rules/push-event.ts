import type { JsonValue } from '../events/pdu.ts'

/** What push rules look at: the event as its recipient sees it. Any JSON is accepted. */
export interface PushEventInput {
  readonly type: string
  readonly sender: string
  readonly room_id?: string
  readonly content: unknown
  readonly [key: string]: unknown
}

/** A path such as `content.m\.mentions.room`, taken apart once. */
export interface PropertyPath {
  /** As written; the name under which an event remembers what it found. */
  readonly text: string
  readonly names: readonly string[]
}

/**
 * Takes a dot-separated path apart; `\.` is a dot, `\\` a backslash, and other escapes stand for themselves.
 * https://spec.matrix.org/v1.19/appendices/#dot-separated-property-paths
 */
export function parsePropertyPath(text: string): PropertyPath {
  const names: string[] = []
  let name = ''
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!
    const next = text[i + 1]
    if (c === '\\' && (next === '.' || next === '\\')) {
      name += next
      i++
    } else if (c === '.') {
      names.push(name)
      name = ''
    } else name += c
  }
  return { text, names: [...names, name] }
}

/** An event that is put before the rules of many users: values are looked up and lowercased once for all of them. */
export class PushEvent {
  readonly event: PushEventInput
  /** The event says itself whom it mentions, so that rules which guess from the body are off. */
  readonly hasMentions: boolean
  readonly #lowercased = new Map<string, string | undefined>()

  constructor(event: PushEventInput) {
    this.event = event
    this.hasMentions = own(event.content, 'm.mentions') !== undefined
  }

  /** The value at a path, or undefined where there is none. Inherited properties are none. */
  find(path: PropertyPath): JsonValue | undefined {
    let value: unknown = this.event
    for (const name of path.names) {
      value = own(value, name)
      if (value === undefined) return undefined
    }
    return value as JsonValue
  }

  /** The lowercased text at a path, or undefined where there is no text. */
  findLowercased(path: PropertyPath): string | undefined {
    const known = this.#lowercased.get(path.text)
    if (known !== undefined || this.#lowercased.has(path.text)) return known
    const value = this.find(path)
    const lowercased = typeof value === 'string' ? value.toLowerCase() : undefined
    this.#lowercased.set(path.text, lowercased)
    return lowercased
  }
}

function own(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
}
