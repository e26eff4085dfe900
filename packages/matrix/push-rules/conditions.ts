import type { JsonValue } from '../events/pdu.ts'
import { compileGlob, containsWord } from './glob.ts'
import { parsePropertyPath, type PropertyPath, type PushEvent } from './push-event.ts'

/** What the rules need to know of the room and the rules' owner at the event. */
export interface PushContext {
  /** Joined members of the room. */
  readonly memberCount: number
  /** The owner's display name in the room. */
  readonly displayName?: string | undefined
  /** Infinity for a creator in room version 12 and later. */
  readonly senderPower: number
  /** `notifications` of the room's power levels, unchecked. */
  readonly notificationLevels?: unknown
  /** Whether the owner is subscribed to the thread that the event is in; undefined: it is in none. */
  readonly isThreadSubscribed?: boolean | undefined
}

/** The condition about threads. https://github.com/matrix-org/matrix-spec-proposals/pull/4306 */
export const THREAD_SUBSCRIPTION = 'io.element.msc4306.thread_subscription'

export type Condition = (event: PushEvent, context: PushContext) => boolean

const NEVER: Condition = () => false
const BODY = parsePropertyPath('content.body')

/**
 * Prepares a condition. What is unknown or malformed never matches, so that its rule is off.
 * https://spec.matrix.org/v1.19/client-server-api/#conditions-1
 */
export function compileCondition(condition: unknown): Condition {
  if (typeof condition !== 'object' || condition === null) return NEVER
  const { kind, key, pattern, value, is, subscribed } = condition as Record<string, unknown>
  switch (kind) {
    case 'event_match':
      return typeof key === 'string' && typeof pattern === 'string' ? eventMatch(key, pattern) : NEVER
    case 'event_property_is':
      return typeof key === 'string' && isScalar(value) ? eventPropertyIs(key, value) : NEVER
    case 'event_property_contains':
      return typeof key === 'string' && isScalar(value) ? eventPropertyContains(key, value) : NEVER
    case 'contains_display_name':
      return containsDisplayName
    case 'room_member_count':
      return typeof is === 'string' ? roomMemberCount(is) : NEVER
    case 'sender_notification_permission':
      return typeof key === 'string' ? senderNotificationPermission(key) : NEVER
    case THREAD_SUBSCRIPTION:
      return typeof subscribed === 'boolean' ? threadSubscription(subscribed) : NEVER
    default:
      return NEVER
  }
}

/** The condition of a content rule: its pattern stands in the body as whole words. */
export function compileContentPattern(pattern: unknown): Condition {
  return typeof pattern === 'string' ? eventMatch(BODY.text, pattern) : NEVER
}

function eventMatch(key: string, pattern: string): Condition {
  const path = parsePropertyPath(key)
  const glob = compileGlob(pattern)
  if (!glob) return NEVER
  const test = isBody(path) ? glob.matchesWords : glob.matches
  return (event) => {
    const text = event.findLowercased(path)
    return text !== undefined && test(text)
  }
}

function isBody(path: PropertyPath): boolean {
  return path.names.length === 2 && path.names[0] === 'content' && path.names[1] === 'body'
}

function isScalar(value: unknown): value is string | number | boolean | null {
  return (
    value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isSafeInteger(value)
  )
}

function eventPropertyIs(key: string, value: JsonValue): Condition {
  const path = parsePropertyPath(key)
  return (event) => event.find(path) === value
}

function eventPropertyContains(key: string, value: JsonValue): Condition {
  const path = parsePropertyPath(key)
  return (event) => {
    const list = event.find(path)
    return Array.isArray(list) && list.includes(value)
  }
}

function containsDisplayName(event: PushEvent, context: PushContext): boolean {
  if (!context.displayName) return false
  const body = event.findLowercased(BODY)
  return body !== undefined && containsWord(body, context.displayName.toLowerCase())
}

const COMPARE: Record<string, (count: number, bound: number) => boolean> = {
  '==': (count, bound) => count === bound,
  '<': (count, bound) => count < bound,
  '>': (count, bound) => count > bound,
  '<=': (count, bound) => count <= bound,
  '>=': (count, bound) => count >= bound,
}

function roomMemberCount(is: string): Condition {
  const parts = /^(==|<=|>=|<|>)?([0-9]+)$/.exec(is)
  const compare = COMPARE[parts?.[1] ?? '==']
  if (!parts || !compare) return NEVER
  const bound = Number(parts[2])
  return (_event, context) => compare(context.memberCount, bound)
}

function threadSubscription(subscribed: boolean): Condition {
  return (_event, context) => context.isThreadSubscribed === subscribed
}

/** Power needed where the room's power levels name none. https://spec.matrix.org/v1.19/client-server-api/#mroompower_levels */
const DEFAULT_NOTIFICATION_LEVEL = 50

function senderNotificationPermission(key: string): Condition {
  return (_event, context) => context.senderPower >= notificationLevel(context.notificationLevels, key)
}

/** Up to room version 9 levels may be text that reads as an integer. What is no level fails closed. */
function notificationLevel(levels: unknown, key: string): number {
  if (typeof levels !== 'object' || levels === null || !Object.hasOwn(levels, key))
    return DEFAULT_NOTIFICATION_LEVEL
  const level = (levels as Record<string, unknown>)[key]
  if (typeof level === 'number') return level
  return typeof level === 'string' && /^\s*[+-]?[0-9]+\s*$/.test(level) ? Number(level) : NaN
}
