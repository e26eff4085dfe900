import type { Errcode } from '../errors/errcodes.ts'
import type { UserId } from '../ids/ids.ts'
import { MAX_GLOB_LENGTH } from './glob.ts'
import { buildRuleset, listPredefinedRules } from './predefined.ts'
import type {
  PredefinedChange,
  PushAction,
  PushCondition,
  PushRule,
  PushRuleChanges,
  PushRuleKind,
} from './ruleset.ts'

/** The changes after an edit, or why it was refused: errcode, HTTP status and sentence for the client. */
export type PushRuleEdit =
  | { readonly ok: true; readonly changes: PushRuleChanges }
  | { readonly ok: false; readonly errcode: Errcode; readonly status: number; readonly message: string }

/** A rule as a client writes it. `pattern` for content rules, `conditions` for override and underride. */
export interface PushRuleInput {
  readonly actions: readonly PushAction[]
  readonly conditions?: readonly PushCondition[]
  readonly pattern?: string
}

/** Where the rule is to stand among the user's own rules of its kind; `before` wins over `after`. */
export interface PushRulePlace {
  readonly before?: string | undefined
  readonly after?: string | undefined
}

/** Own rules of one kind that a user may have: every event in their rooms is put before them. */
export const MAX_OWN_RULES = 4000
/** Conditions of one rule. */
export const MAX_CONDITIONS = 64
/** UTF-16 units of a rule's id. */
export const MAX_RULE_ID_LENGTH = 512

/**
 * Adds a rule, as the user's most important one of its kind unless `place` says otherwise, or replaces one: a
 * replaced rule keeps its place (unless `place` says otherwise) and whether it is enabled.
 * https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3pushrulesglobalkindruleid
 */
export function putRule(
  changes: PushRuleChanges,
  kind: PushRuleKind,
  ruleId: string,
  input: PushRuleInput,
  place: PushRulePlace = {},
): PushRuleEdit {
  const rules = changes.own[kind]
  if (kind === 'postcontent')
    return refuse('M_INVALID_PARAM', 400, 'Rules of the kind "postcontent" are predefined only')
  const wrong = checkRuleId(ruleId) ?? checkInput(kind, input)
  if (wrong) return wrong
  const existing = rules.find((rule) => rule.rule_id === ruleId)
  if (!existing && rules.length >= MAX_OWN_RULES)
    return refuse(
      'M_INVALID_PARAM',
      400,
      `There may be at most ${MAX_OWN_RULES} rules of one kind; delete some first`,
    )
  const rule = buildRule(kind, ruleId, input, existing?.enabled ?? true)
  const at = placeOf(rules, ruleId, place)
  if (typeof at !== 'number') return at
  const others = rules.filter((other) => other.rule_id !== ruleId)
  return edited(changes, kind, others.toSpliced(at, 0, rule))
}

/** Deletes one of the user's own rules; predefined ones can only be disabled. */
export function deleteRule(changes: PushRuleChanges, kind: PushRuleKind, ruleId: string): PushRuleEdit {
  const rules = changes.own[kind]
  if (!rules.some((rule) => rule.rule_id === ruleId)) return ruleNotFound(kind, ruleId)
  return edited(
    changes,
    kind,
    rules.filter((rule) => rule.rule_id !== ruleId),
  )
}

/** Enables or disables a rule of the user or a predefined one. */
export function setRuleEnabled(
  changes: PushRuleChanges,
  kind: PushRuleKind,
  ruleId: string,
  enabled: boolean,
  userId: UserId,
): PushRuleEdit {
  return changeRule(changes, kind, ruleId, { enabled }, userId)
}

/** Replaces the actions of a rule of the user or a predefined one. */
export function setRuleActions(
  changes: PushRuleChanges,
  kind: PushRuleKind,
  ruleId: string,
  actions: readonly PushAction[],
  userId: UserId,
): PushRuleEdit {
  return checkActions(actions) ?? changeRule(changes, kind, ruleId, { actions }, userId)
}

/** A rule as clients see it, own or predefined, or undefined. */
export function findRule(
  changes: PushRuleChanges,
  kind: PushRuleKind,
  ruleId: string,
  userId: UserId,
): PushRule | undefined {
  return buildRuleset(userId, changes)[kind].find((rule) => rule.rule_id === ruleId)
}

function changeRule(
  changes: PushRuleChanges,
  kind: PushRuleKind,
  ruleId: string,
  change: PredefinedChange,
  userId: UserId,
): PushRuleEdit {
  const isPredefined = listPredefinedRules(kind, userId).some((rule) => rule.rule_id === ruleId)
  if (isPredefined) {
    const earlier = Object.hasOwn(changes.predefined, ruleId) ? changes.predefined[ruleId] : undefined
    return {
      ok: true,
      changes: { ...changes, predefined: { ...changes.predefined, [ruleId]: { ...earlier, ...change } } },
    }
  }
  const rules = changes.own[kind]
  if (!rules.some((rule) => rule.rule_id === ruleId)) return ruleNotFound(kind, ruleId)
  const { enabled, actions } = change
  const apply = (rule: PushRule): PushRule => ({
    ...rule,
    enabled: enabled ?? rule.enabled,
    actions: actions ? [...actions] : rule.actions,
  })
  return edited(
    changes,
    kind,
    rules.map((rule) => (rule.rule_id === ruleId ? apply(rule) : rule)),
  )
}

/** The index at which the rule is put among the other ones. */
function placeOf(
  rules: readonly PushRule[],
  ruleId: string,
  { before, after }: PushRulePlace,
): number | Extract<PushRuleEdit, { ok: false }> {
  const mark = before ?? after
  const current = rules.findIndex((rule) => rule.rule_id === ruleId)
  if (mark === undefined || (mark === ruleId && current !== -1)) return Math.max(current, 0)
  const others = rules.filter((rule) => rule.rule_id !== ruleId)
  const at = others.findIndex((rule) => rule.rule_id === mark)
  if (at === -1) return refuse('M_UNKNOWN', 400, `before/after rule not found: ${mark}`)
  return before === undefined ? at + 1 : at
}

function buildRule(kind: PushRuleKind, ruleId: string, input: PushRuleInput, enabled: boolean): PushRule {
  const rule = { rule_id: ruleId, default: false, enabled, actions: [...input.actions] }
  if (kind === 'override' || kind === 'underride')
    return { ...rule, conditions: [...(input.conditions ?? [])] }
  return kind === 'content' && input.pattern !== undefined ? { ...rule, pattern: input.pattern } : rule
}

function checkRuleId(ruleId: string): PushRuleEdit | undefined {
  if (ruleId === '' || ruleId.length > MAX_RULE_ID_LENGTH)
    return refuse('M_INVALID_PARAM', 400, `A rule id has 1 to ${MAX_RULE_ID_LENGTH} characters`)
  if (ruleId.startsWith('.'))
    return refuse('M_INVALID_PARAM', 400, 'Rule ids that start with "." are reserved for predefined rules')
  if (/[/\\]/.test(ruleId)) return refuse('M_INVALID_PARAM', 400, 'A rule id contains no "/" and no "\\"')
  return undefined
}

function checkInput(kind: PushRuleKind, input: PushRuleInput): PushRuleEdit | undefined {
  if (kind === 'content' && input.pattern === undefined)
    return refuse('M_MISSING_PARAM', 400, 'A content rule needs a pattern')
  const conditions = input.conditions ?? []
  if (conditions.length > MAX_CONDITIONS)
    return refuse('M_INVALID_PARAM', 400, `A rule has at most ${MAX_CONDITIONS} conditions`)
  if (conditions.some(({ kind: named }) => typeof named !== 'string'))
    return refuse('M_INVALID_PARAM', 400, 'Each condition of a rule says its kind')
  const patterns = [input.pattern, ...conditions.map((condition) => condition['pattern'])]
  if (patterns.some((pattern) => typeof pattern === 'string' && pattern.length > MAX_GLOB_LENGTH))
    return refuse('M_INVALID_PARAM', 400, `A pattern has at most ${MAX_GLOB_LENGTH} characters`)
  return checkActions(input.actions)
}

function checkActions(actions: readonly PushAction[]): PushRuleEdit | undefined {
  const known = actions.every(
    (action) => typeof action === 'string' || typeof action['set_tweak'] === 'string',
  )
  return known
    ? undefined
    : refuse('M_INVALID_PARAM', 400, 'An action is a string or an object with set_tweak')
}

function edited(changes: PushRuleChanges, kind: PushRuleKind, rules: readonly PushRule[]): PushRuleEdit {
  return { ok: true, changes: { ...changes, own: { ...changes.own, [kind]: rules } } }
}

function ruleNotFound(kind: PushRuleKind, ruleId: string): PushRuleEdit {
  return refuse('M_NOT_FOUND', 404, `There is no ${kind} rule of yours with the id ${ruleId}`)
}

function refuse(errcode: Errcode, status: number, message: string): Extract<PushRuleEdit, { ok: false }> {
  return { ok: false, errcode, status, message }
}
