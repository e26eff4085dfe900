import type { JsonObject } from '../events/pdu.ts'

/**
 * The kinds of rule in the order in which they are checked. `postcontent` has predefined rules only (MSC4306).
 * https://spec.matrix.org/v1.19/client-server-api/#push-rules
 */
export const PUSH_RULE_KINDS = ['override', 'content', 'postcontent', 'room', 'sender', 'underride'] as const
export type PushRuleKind = (typeof PUSH_RULE_KINDS)[number]

/** `"notify"`, or a tweak such as `{ set_tweak: 'sound', value: 'default' }`. Unknown ones are passed on to gateways. */
export type PushAction = string | JsonObject

/** Kept as the client wrote it: an unknown condition is stored and never matches. */
export type PushCondition = JsonObject

/**
 * A rule as it is sent to clients; never changed, since users share the predefined ones. `conditions` for override,
 * postcontent and underride, `pattern` for content.
 */
export interface PushRule {
  readonly rule_id: string
  readonly default: boolean
  readonly enabled: boolean
  readonly actions: readonly PushAction[]
  readonly conditions?: readonly PushCondition[]
  readonly pattern?: string
}

/** All rules of a user, most important first in each kind: the `global` of `m.push_rules`. */
export type PushRuleset = Readonly<Record<PushRuleKind, readonly PushRule[]>>

/** What a user changed about one predefined rule. */
export interface PredefinedChange {
  readonly enabled?: boolean
  readonly actions?: readonly PushAction[]
}

/** What is stored for a user: their own rules, and how they changed the predefined ones (by rule id). */
export interface PushRuleChanges {
  readonly own: PushRuleset
  readonly predefined: Readonly<Record<string, PredefinedChange>>
}

export const NO_CHANGES: PushRuleChanges = {
  own: { override: [], content: [], postcontent: [], room: [], sender: [], underride: [] },
  predefined: {},
}

/** Whether a path segment names a kind of rule. */
export function isPushRuleKind(text: string): text is PushRuleKind {
  return (PUSH_RULE_KINDS as readonly string[]).includes(text)
}
