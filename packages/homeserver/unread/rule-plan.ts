import type { PushRule, PushRuleChanges } from '@causeway/matrix/push-rules/ruleset.ts'
import { listPredefinedRules, MASTER_RULE_ID } from '@causeway/matrix/push-rules/predefined.ts'
import { PUSH_RULE_KINDS } from '@causeway/matrix/push-rules/ruleset.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'

/**
 * How a user's unread messages of one room are counted. `default`: stored facts say it all. `mentions`: only
 * what mentions the user counts. `none`: nothing does. `evaluate`: each event is put before the rules.
 */
export type CountMode = 'default' | 'mentions' | 'none' | 'evaluate'

/** What a user's rules mean for counting, by room. */
export interface RulePlan {
  readonly everywhere: CountMode | undefined
  /** Rooms that differ from the default. */
  readonly byRoom: ReadonlyMap<string, CountMode>
}

const plans = new WeakMap<PushRuleChanges, RulePlan>()

/** How the room is counted under these changes of the predefined rules. Worked out once per changes. */
export function countModeOf(changes: PushRuleChanges, userId: UserId, roomId: string): CountMode {
  let plan = plans.get(changes)
  if (plan === undefined) {
    plan = planOf(changes, userId)
    plans.set(changes, plan)
  }
  return plan.everywhere ?? plan.byRoom.get(roomId) ?? 'default'
}

function planOf(changes: PushRuleChanges, userId: UserId): RulePlan {
  const byRoom = new Map<string, CountMode>()
  const everywhere = (mode: CountMode): RulePlan => ({ everywhere: mode, byRoom })
  const { own, predefined } = changes
  const master = Object.hasOwn(predefined, MASTER_RULE_ID) ? predefined[MASTER_RULE_ID] : undefined
  if (master?.enabled === true)
    return everywhere(verdictOf(master.actions ?? []) === '' ? 'none' : 'evaluate')
  if (changesVerdicts(changes, userId)) return everywhere('evaluate')
  if ([own.content, own.sender, own.underride].some((rules) => rules.some(isEnabled)))
    return everywhere('evaluate')
  for (const rule of own.override.filter(isEnabled)) {
    const roomId = roomOf(rule)
    if (roomId === undefined) return everywhere('evaluate')
    if (byRoom.has(roomId)) continue
    const isMute = rule.conditions?.length === 1 && verdictOf(rule.actions) === ''
    byRoom.set(roomId, isMute ? 'none' : 'evaluate')
  }
  for (const rule of own.room.filter(isEnabled)) {
    if (!byRoom.has(rule.rule_id))
      byRoom.set(rule.rule_id, verdictOf(rule.actions) === '' ? 'mentions' : 'evaluate')
  }
  return { everywhere: undefined, byRoom }
}

function isEnabled(rule: PushRule): boolean {
  return rule.enabled
}

/** The one room that a rule is about; undefined when it may be about others. */
function roomOf({ conditions }: PushRule): string | undefined {
  for (const { kind, key, pattern } of conditions ?? []) {
    // Patterns ignore case and room ids do not, but a room's id in lower case is hardly another room's.
    if (
      kind === 'event_match' &&
      key === 'room_id' &&
      typeof pattern === 'string' &&
      /^[^*?]+$/.test(pattern)
    )
      return pattern
  }
  return undefined
}

/** Whether a changed predefined rule counts something else than before: another sound does not. */
function changesVerdicts({ predefined }: PushRuleChanges, userId: UserId): boolean {
  for (const rule of PUSH_RULE_KINDS.flatMap((kind) => listPredefinedRules(kind, userId))) {
    if (rule.rule_id === MASTER_RULE_ID || !Object.hasOwn(predefined, rule.rule_id)) continue
    const { enabled = rule.enabled, actions = rule.actions } = predefined[rule.rule_id]!
    if (enabled !== rule.enabled || verdictOf(actions) !== verdictOf(rule.actions)) return true
  }
  return false
}

/** What of a rule's actions is counted: empty when nothing is. */
function verdictOf(actions: PushRule['actions'] | readonly unknown[]): string {
  const isHighlight = (action: unknown): boolean =>
    typeof action === 'object' &&
    action !== null &&
    (action as Record<string, unknown>)['set_tweak'] === 'highlight' &&
    (action as Record<string, unknown>)['value'] !== false
  return `${actions.includes('notify') ? 'n' : ''}${actions.some(isHighlight) ? 'h' : ''}`
}
