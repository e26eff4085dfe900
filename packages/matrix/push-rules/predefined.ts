import type { UserId } from '../ids/ids.ts'
import { THREAD_SUBSCRIPTION } from './conditions.ts'
import type {
  PushAction,
  PushCondition,
  PushRule,
  PushRuleChanges,
  PushRuleKind,
  PushRuleset,
} from './ruleset.ts'

/** The one rule that is checked before even the user's own. */
export const MASTER_RULE_ID = '.m.rule.master'

const SOUND: PushAction = { set_tweak: 'sound', value: 'default' }
const RING: PushAction = { set_tweak: 'sound', value: 'ring' }
const HIGHLIGHT: PushAction = { set_tweak: 'highlight' }

/**
 * Polls as clients make them today. Their rules are here under the names from before they are in the specification, as
 * Synapse has them. https://github.com/matrix-org/matrix-spec-proposals/pull/3930
 */
export const POLL_START = 'org.matrix.msc3381.poll.start'
export const POLL_END = 'org.matrix.msc3381.poll.end'
export const POLL_RESPONSE = 'org.matrix.msc3381.poll.response'

const matches = (key: string, pattern: string): PushCondition => ({ kind: 'event_match', key, pattern })
const TWO_MEMBERS: PushCondition = { kind: 'room_member_count', is: '2' }

type Predefined = readonly [
  ruleId: string,
  conditions: readonly PushCondition[],
  actions: readonly PushAction[],
]

const override = (userId: UserId): readonly Predefined[] => [
  ...BEFORE_OWN,
  [
    '.m.rule.invite_for_me',
    [matches('type', 'm.room.member'), matches('content.membership', 'invite'), matches('state_key', userId)],
    ['notify', SOUND],
  ],
  MEMBER_EVENT,
  [
    '.m.rule.is_user_mention',
    [{ kind: 'event_property_contains', key: 'content.m\\.mentions.user_ids', value: userId }],
    ['notify', SOUND, HIGHLIGHT],
  ],
  ...AFTER_OWN,
]

const MASTER: Predefined = [MASTER_RULE_ID, [], []]
const BEFORE_OWN: readonly Predefined[] = [
  ['.m.rule.suppress_notices', [matches('content.msgtype', 'm.notice')], []],
]
const MEMBER_EVENT: Predefined = ['.m.rule.member_event', [matches('type', 'm.room.member')], []]
const AFTER_OWN: readonly Predefined[] = [
  [
    '.m.rule.is_room_mention',
    [
      { kind: 'event_property_is', key: 'content.m\\.mentions.room', value: true },
      { kind: 'sender_notification_permission', key: 'room' },
    ],
    ['notify', HIGHLIGHT],
  ],
  [
    '.m.rule.tombstone',
    [matches('type', 'm.room.tombstone'), matches('state_key', '')],
    ['notify', HIGHLIGHT],
  ],
  ['.m.rule.reaction', [matches('type', 'm.reaction')], []],
  ['.m.rule.room.server_acl', [matches('type', 'm.room.server_acl'), matches('state_key', '')], []],
  [
    '.m.rule.suppress_edits',
    [{ kind: 'event_property_is', key: 'content.m\\.relates_to.rel_type', value: 'm.replace' }],
    [],
  ],
  ['.org.matrix.msc3930.rule.poll_response', [matches('type', POLL_RESPONSE)], []],
]

const UNDERRIDE: readonly Predefined[] = [
  ['.m.rule.call', [matches('type', 'm.call.invite')], ['notify', RING]],
  [
    '.m.rule.encrypted_room_one_to_one',
    [TWO_MEMBERS, matches('type', 'm.room.encrypted')],
    ['notify', SOUND],
  ],
  ['.m.rule.room_one_to_one', [TWO_MEMBERS, matches('type', 'm.room.message')], ['notify', SOUND]],
  ['.m.rule.message', [matches('type', 'm.room.message')], ['notify']],
  ['.m.rule.encrypted', [matches('type', 'm.room.encrypted')], ['notify']],
  [
    '.org.matrix.msc3930.rule.poll_start_one_to_one',
    [TWO_MEMBERS, matches('type', POLL_START)],
    ['notify', SOUND],
  ],
  ['.org.matrix.msc3930.rule.poll_start', [matches('type', POLL_START)], ['notify']],
  [
    '.org.matrix.msc3930.rule.poll_end_one_to_one',
    [TWO_MEMBERS, matches('type', POLL_END)],
    ['notify', SOUND],
  ],
  ['.org.matrix.msc3930.rule.poll_end', [matches('type', POLL_END)], ['notify']],
]

/** Rules about threads that one is, or is not, subscribed to. */
export const THREAD_RULE_IDS: readonly string[] = [
  '.io.element.msc4306.rule.unsubscribed_thread',
  '.io.element.msc4306.rule.subscribed_thread',
]

/**
 * Off until their owner subscribes to a thread for the first time (`enableThreadRules`): by the specification whatever
 * is said in any thread notifies, and whose clients know nothing of subscriptions would hear of none.
 * https://github.com/matrix-org/matrix-spec-proposals/pull/4306
 */
const POSTCONTENT: readonly Predefined[] = [
  [THREAD_RULE_IDS[0]!, [{ kind: THREAD_SUBSCRIPTION, subscribed: false }], []],
  [THREAD_RULE_IDS[1]!, [{ kind: THREAD_SUBSCRIPTION, subscribed: true }], ['notify', SOUND]],
]

/**
 * The server-default rules of a kind, most important first, without what the user changed. The rules that
 * looked for mentions in the body left the specification in 1.17; of those only the one that cannot mistake a
 * word for a name is kept, for senders (bots, bridges, old clients) that do not know `m.mentions`. Those about polls are not
 * in the specification yet (MSC3930).
 * https://spec.matrix.org/v1.19/client-server-api/#predefined-rules
 */
export function listPredefinedRules(kind: PushRuleKind, userId: UserId): PushRule[] {
  if (kind === 'underride') return UNDERRIDE.map((rule) => build(rule))
  if (kind === 'postcontent') return POSTCONTENT.map((rule) => build(rule))
  if (kind === 'content') return [userNameRule(userId)]
  if (kind !== 'override') return []
  return [build(MASTER), ...override(userId).map((rule) => build(rule))]
}

/** The user's whole id stands in the text of a message that does not say itself whom it mentions. */
function userNameRule(userId: UserId): PushRule {
  return {
    rule_id: '.m.rule.contains_user_name',
    default: true,
    enabled: true,
    pattern: userId,
    actions: ['notify', SOUND, HIGHLIGHT],
  }
}

/** Those that are off unless their owner turns them on. */
const OFF: ReadonlySet<string> = new Set([MASTER_RULE_ID, ...THREAD_RULE_IDS])

/** Rules that do not name their owner are the same for everybody, and so is what is compiled of them. */
const built = new WeakMap<Predefined, PushRule>()

function build(predefined: Predefined): PushRule {
  const known = built.get(predefined)
  if (known !== undefined) return known
  const [ruleId, conditions, actions] = predefined
  const rule = { rule_id: ruleId, default: true, enabled: !OFF.has(ruleId), conditions, actions }
  built.set(predefined, rule)
  return rule
}

/**
 * All rules of a user: the master rule, then their own, then the predefined ones with the user's enabling and
 * actions. Predefined rules of a later release appear by themselves, and changes to dropped ones are ignored.
 */
export function buildRuleset(userId: UserId, changes: PushRuleChanges): PushRuleset {
  const merged = (kind: PushRuleKind): PushRule[] => {
    const predefined = listPredefinedRules(kind, userId).map((rule) => withChange(rule, changes))
    const masters = predefined.filter((rule) => rule.rule_id === MASTER_RULE_ID)
    const others = predefined.filter((rule) => rule.rule_id !== MASTER_RULE_ID)
    return [...masters, ...changes.own[kind], ...others]
  }
  return {
    override: merged('override'),
    content: merged('content'),
    postcontent: merged('postcontent'),
    room: merged('room'),
    sender: merged('sender'),
    underride: merged('underride'),
  }
}

function withChange(rule: PushRule, changes: PushRuleChanges): PushRule {
  const change = Object.hasOwn(changes.predefined, rule.rule_id)
    ? changes.predefined[rule.rule_id]
    : undefined
  if (!change) return rule
  return {
    ...rule,
    enabled: change.enabled ?? rule.enabled,
    actions: change.actions ? [...change.actions] : rule.actions,
  }
}

/**
 * The changes of somebody who begins to subscribe to threads: the rules about them are on from here on, unless they were
 * turned on or off by hand. Undefined where nothing changes.
 */
export function enableThreadRules(changes: PushRuleChanges): PushRuleChanges | undefined {
  const { predefined } = changes
  const unset = THREAD_RULE_IDS.filter(
    (id) => !Object.hasOwn(predefined, id) || predefined[id]?.enabled === undefined,
  )
  if (unset.length === 0) return undefined
  const enabled = unset.map((id) => [id, { ...predefined[id], enabled: true }] as const)
  return { ...changes, predefined: { ...predefined, ...Object.fromEntries(enabled) } }
}
