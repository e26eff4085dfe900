import type { UserId } from '../ids/ids.ts'
import {
  compileCondition,
  compileContentPattern,
  THREAD_SUBSCRIPTION,
  type Condition,
  type PushContext,
} from './conditions.ts'
import type { PushEvent } from './push-event.ts'
import type { PushAction, PushRule, PushRuleKind, PushRuleset } from './ruleset.ts'

/** What is to be done about an event for one user. Shared between events: do not change it. */
export interface PushVerdict {
  readonly notify: boolean
  readonly highlight: boolean
  readonly sound?: string
  /** The rule's actions without the historical ones; empty if no rule matched. */
  readonly actions: readonly PushAction[]
  /** The rule that decided, if one did. */
  readonly ruleId?: string
}

/** A user's rules, prepared for many events. */
export interface CompiledRules {
  readonly userId: UserId
  /** Override, content and postcontent rules, in order. */
  readonly first: readonly CompiledRule[]
  readonly byRoom: ReadonlyMap<string, PushVerdict>
  readonly bySender: ReadonlyMap<string, PushVerdict>
  readonly underride: readonly CompiledRule[]
  /** Whether any of them asks if the user is subscribed to a thread. */
  readonly asksForThreads: boolean
}

interface CompiledRule {
  readonly conditions: readonly Condition[]
  readonly verdict: PushVerdict
  /** Looks for mentions in the body; off where the event names them itself. */
  readonly guessesMentions: boolean
}

const NOTHING: PushVerdict = Object.freeze({ notify: false, highlight: false, actions: Object.freeze([]) })

/** Predefined until 1.17; a server that keeps them must not apply them to events with `m.mentions`. */
const MENTION_GUESSES: ReadonlySet<string> = new Set([
  '.m.rule.contains_display_name',
  '.m.rule.contains_user_name',
  '.m.rule.roomnotif',
])

/** Prepares a user's rules once; disabled rules are left out. Total for any JSON: what is malformed never matches. */
export function compileRules(ruleset: PushRuleset, userId: UserId): CompiledRules {
  return {
    userId,
    first: [
      ...enabled(ruleset, 'override').map(compileRule),
      ...enabled(ruleset, 'content').map(compileContentRule),
      ...enabled(ruleset, 'postcontent').map(compileRule),
    ],
    byRoom: verdictsById(enabled(ruleset, 'room')),
    bySender: verdictsById(enabled(ruleset, 'sender')),
    underride: enabled(ruleset, 'underride').map(compileRule),
    asksForThreads: WITH_CONDITIONS.some((kind) => enabled(ruleset, kind).some(asksForThreads)),
  }
}

const WITH_CONDITIONS = ['override', 'postcontent', 'underride'] as const

function asksForThreads({ conditions }: PushRule): boolean {
  const list: readonly unknown[] = Array.isArray(conditions) ? conditions : []
  return list.some((condition) => isObject(condition) && condition['kind'] === THREAD_SUBSCRIPTION)
}

/**
 * The actions of the most important rule that matches; nothing for the user's own events.
 * https://spec.matrix.org/v1.19/client-server-api/#push-rules
 */
export function evaluate(rules: CompiledRules, event: PushEvent, context: PushContext): PushVerdict {
  const { sender, room_id: roomId } = event.event
  if (sender === rules.userId) return NOTHING
  return (
    firstMatch(rules.first, event, context) ??
    (roomId === undefined ? undefined : rules.byRoom.get(roomId)) ??
    rules.bySender.get(sender) ??
    firstMatch(rules.underride, event, context) ??
    NOTHING
  )
}

function firstMatch(
  rules: readonly CompiledRule[],
  event: PushEvent,
  context: PushContext,
): PushVerdict | undefined {
  for (const rule of rules) {
    if (rule.guessesMentions && event.hasMentions) continue
    if (holds(rule.conditions, event, context)) return rule.verdict
  }
  return undefined
}

function holds(conditions: readonly Condition[], event: PushEvent, context: PushContext): boolean {
  for (const condition of conditions) if (!condition(event, context)) return false
  return true
}

function enabled(ruleset: PushRuleset, kind: PushRuleKind): PushRule[] {
  const rules: unknown = ruleset[kind]
  if (!Array.isArray(rules)) return []
  return rules.filter((rule: unknown) => isObject(rule) && rule['enabled'] === true) as PushRule[]
}

/** Predefined rules are mostly the same objects for everybody. Nobody changes a rule in place. */
const compiled = new WeakMap<PushRule, CompiledRule>()

function compileRule(rule: PushRule): CompiledRule {
  const known = compiled.get(rule)
  if (known !== undefined) return known
  const made = compileAnew(rule)
  compiled.set(rule, made)
  return made
}

function compileAnew(rule: PushRule): CompiledRule {
  const conditions: unknown = rule.conditions ?? []
  const list: unknown[] = Array.isArray(conditions) ? conditions : [undefined]
  return finish(rule, list.map(compileCondition))
}

function compileContentRule(rule: PushRule): CompiledRule {
  return finish(rule, [compileContentPattern(rule.pattern)])
}

function finish(rule: PushRule, conditions: Condition[]): CompiledRule {
  return { conditions, verdict: buildVerdict(rule), guessesMentions: MENTION_GUESSES.has(rule.rule_id) }
}

const NO_VERDICTS: ReadonlyMap<string, PushVerdict> = new Map()

function verdictsById(rules: readonly PushRule[]): ReadonlyMap<string, PushVerdict> {
  if (rules.length === 0) return NO_VERDICTS
  const verdicts = new Map<string, PushVerdict>()
  for (const rule of rules) if (!verdicts.has(rule.rule_id)) verdicts.set(rule.rule_id, buildVerdict(rule))
  return verdicts
}

function buildVerdict(rule: PushRule): PushVerdict {
  const actions = currentActions(rule.actions)
  const sound = tweak(actions, 'sound')?.['value']
  const highlight = tweak(actions, 'highlight')
  return Object.freeze({
    notify: actions.includes('notify'),
    highlight: highlight !== undefined && highlight['value'] !== false,
    ...(typeof sound === 'string' ? { sound } : {}),
    actions: Object.freeze(actions),
    ruleId: rule.rule_id,
  })
}

/** `dont_notify` and `coalesce` are history and mean nothing. */
function currentActions(actions: unknown): PushAction[] {
  if (!Array.isArray(actions)) return []
  return actions.filter(
    (action: unknown) =>
      (typeof action === 'string' && action !== 'dont_notify' && action !== 'coalesce') || isObject(action),
  ) as PushAction[]
}

function tweak(actions: readonly PushAction[], name: string): Record<string, unknown> | undefined {
  return actions.find((action) => typeof action !== 'string' && action['set_tweak'] === name) as
    | Record<string, unknown>
    | undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
