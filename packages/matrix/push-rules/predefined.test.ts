import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UserId } from '../ids/ids.ts'
import { setRuleActions, setRuleEnabled, putRule, type PushRuleEdit } from './edit.ts'
import { buildRuleset, enableThreadRules, listPredefinedRules } from './predefined.ts'
import { NO_CHANGES, type PushRuleChanges } from './ruleset.ts'

const ann = '@ann:example.org' as UserId

const must = (edit: PushRuleEdit): PushRuleChanges => {
  assert.ok(edit.ok)
  return edit.changes
}

test('the predefined rules are those of the specification, in its order, and those for polls', () => {
  assert.deepEqual(
    listPredefinedRules('override', ann).map((rule) => rule.rule_id),
    [
      '.m.rule.master',
      '.m.rule.suppress_notices',
      '.m.rule.invite_for_me',
      '.m.rule.member_event',
      '.m.rule.is_user_mention',
      '.m.rule.is_room_mention',
      '.m.rule.tombstone',
      '.m.rule.reaction',
      '.m.rule.room.server_acl',
      '.m.rule.suppress_edits',
      '.org.matrix.msc3930.rule.poll_response',
    ],
  )
  assert.deepEqual(
    listPredefinedRules('underride', ann).map((rule) => rule.rule_id),
    [
      '.m.rule.call',
      '.m.rule.encrypted_room_one_to_one',
      '.m.rule.room_one_to_one',
      '.m.rule.message',
      '.m.rule.encrypted',
      '.org.matrix.msc3930.rule.poll_start_one_to_one',
      '.org.matrix.msc3930.rule.poll_start',
      '.org.matrix.msc3930.rule.poll_end_one_to_one',
      '.org.matrix.msc3930.rule.poll_end',
    ],
  )
  for (const kind of ['room', 'sender'] as const) assert.deepEqual(listPredefinedRules(kind, ann), [])
})

test('of the rules that looked into the body, the one for whole user ids is kept', () => {
  assert.deepEqual(
    listPredefinedRules('content', ann).map((rule) => [rule.rule_id, rule.pattern]),
    [['.m.rule.contains_user_name', ann]],
  )
})

test('the rules about threads are off until somebody subscribes to one, and then as they were set by hand', () => {
  const ids = ['.io.element.msc4306.rule.unsubscribed_thread', '.io.element.msc4306.rule.subscribed_thread']
  const states = (changes: PushRuleChanges): unknown[] =>
    buildRuleset(ann, changes).postcontent.map((rule) => [rule.rule_id, rule.enabled])
  assert.deepEqual(states(NO_CHANGES), [
    [ids[0], false],
    [ids[1], false],
  ])
  const off = must(setRuleEnabled(NO_CHANGES, 'postcontent', ids[0]!, false, ann))
  assert.deepEqual(states(enableThreadRules(off)!), [
    [ids[0], false],
    [ids[1], true],
  ])
  assert.equal(putRule(NO_CHANGES, 'postcontent', 'mine', { actions: [] }).ok, false)
})

test('a predefined rule reads as the specification prints it', () => {
  const rules = listPredefinedRules('override', ann)
  assert.deepEqual(
    rules.find((rule) => rule.rule_id === '.m.rule.is_room_mention'),
    {
      rule_id: '.m.rule.is_room_mention',
      default: true,
      enabled: true,
      conditions: [
        { kind: 'event_property_is', key: 'content.m\\.mentions.room', value: true },
        { kind: 'sender_notification_permission', key: 'room' },
      ],
      actions: ['notify', { set_tweak: 'highlight' }],
    },
  )
  assert.deepEqual(rules[0], {
    rule_id: '.m.rule.master',
    default: true,
    enabled: false,
    conditions: [],
    actions: [],
  })
})

test('own rules stand between the master rule and the other predefined ones', () => {
  const changes = must(putRule(NO_CHANGES, 'override', 'mine', { actions: [] }))
  const ids = buildRuleset(ann, changes).override.map((rule) => rule.rule_id)
  assert.deepEqual(ids.slice(0, 3), ['.m.rule.master', 'mine', '.m.rule.suppress_notices'])
})

test('a predefined rule keeps what the user made of it', () => {
  const off = must(setRuleEnabled(NO_CHANGES, 'underride', '.m.rule.message', false, ann))
  const changes = must(
    setRuleActions(off, 'underride', '.m.rule.message', ['notify', { set_tweak: 'highlight' }], ann),
  )
  const rule = buildRuleset(ann, changes).underride.find((r) => r.rule_id === '.m.rule.message')
  assert.equal(rule?.enabled, false)
  assert.deepEqual(rule?.actions, ['notify', { set_tweak: 'highlight' }])
  assert.equal(rule?.default, true)
})

test('changes to a rule that is predefined no more are ignored', () => {
  const changes = { ...NO_CHANGES, predefined: { '.m.rule.contains_display_name': { enabled: false } } }
  assert.deepEqual(buildRuleset(ann, changes), buildRuleset(ann, NO_CHANGES))
})
