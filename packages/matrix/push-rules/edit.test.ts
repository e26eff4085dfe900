import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { UserId } from '../ids/ids.ts'
import {
  deleteRule,
  findRule,
  putRule,
  setRuleActions,
  setRuleEnabled,
  type PushRuleEdit,
  type PushRulePlace,
} from './edit.ts'
import { NO_CHANGES, type PushRuleChanges } from './ruleset.ts'

const ann = '@ann:example.org' as UserId

const must = (edit: PushRuleEdit): PushRuleChanges => {
  assert.ok(edit.ok, edit.ok ? '' : edit.message)
  return edit.changes
}

const put = (changes: PushRuleChanges, id: string, place: PushRulePlace = {}): PushRuleChanges =>
  must(putRule(changes, 'override', id, { actions: ['notify'] }, place))

const order = (changes: PushRuleChanges): string => changes.own.override.map((rule) => rule.rule_id).join('')

const refusal = (edit: PushRuleEdit): string => (edit.ok ? 'done' : `${edit.status} ${edit.errcode}`)

const three = put(put(put(NO_CHANGES, 'c'), 'b'), 'a')

test('a new rule is the most important one, or stands where it is asked to', () => {
  assert.equal(order(three), 'abc')
  assert.equal(order(put(three, 'x', { before: 'b' })), 'axbc')
  assert.equal(order(put(three, 'x', { after: 'b' })), 'abxc')
  assert.equal(order(put(three, 'x', { before: 'c', after: 'a' })), 'abxc')
})

test('a replaced rule keeps its place unless it is moved, and whether it is enabled', () => {
  const off = must(setRuleEnabled(three, 'override', 'b', false, ann))
  const again = must(putRule(off, 'override', 'b', { actions: [], conditions: [{ kind: 'x' }] }))
  assert.equal(order(again), 'abc')
  assert.deepEqual(findRule(again, 'override', 'b', ann), {
    rule_id: 'b',
    default: false,
    enabled: false,
    actions: [],
    conditions: [{ kind: 'x' }],
  })
  assert.equal(order(put(three, 'a', { after: 'c' })), 'bca')
  assert.equal(order(put(three, 'c', { before: 'a' })), 'cab')
  assert.equal(order(put(three, 'b', { before: 'b' })), 'abc')
})

test('refusals carry the standard errors', () => {
  const body = { actions: [] }
  assert.equal(refusal(putRule(three, 'override', 'x', body, { before: 'nope' })), '400 M_UNKNOWN')
  assert.equal(refusal(putRule(three, 'override', 'x', body, { after: '.m.rule.master' })), '400 M_UNKNOWN')
  assert.equal(refusal(putRule(three, 'override', 'x', body, { before: 'x' })), '400 M_UNKNOWN')
  assert.equal(refusal(putRule(three, 'override', '.mine', body)), '400 M_INVALID_PARAM')
  assert.equal(refusal(putRule(three, 'override', 'a/b', body)), '400 M_INVALID_PARAM')
  assert.equal(refusal(putRule(three, 'override', 'a\\b', body)), '400 M_INVALID_PARAM')
  assert.equal(refusal(putRule(three, 'content', 'x', body)), '400 M_MISSING_PARAM')
  assert.equal(
    refusal(putRule(three, 'content', 'x', { ...body, pattern: '?'.repeat(9999) })),
    '400 M_INVALID_PARAM',
  )
  assert.equal(refusal(setRuleActions(three, 'override', 'a', [{ tweak: 'x' }], ann)), '400 M_INVALID_PARAM')
  assert.equal(refusal(setRuleEnabled(three, 'room', 'a', true, ann)), '404 M_NOT_FOUND')
  assert.equal(refusal(setRuleActions(three, 'override', 'nope', [], ann)), '404 M_NOT_FOUND')
  assert.equal(refusal(deleteRule(three, 'override', 'nope')), '404 M_NOT_FOUND')
  assert.equal(refusal(deleteRule(three, 'override', '.m.rule.master')), '404 M_NOT_FOUND')
  assert.equal(findRule(three, 'sender', 'a', ann), undefined)
})

test('deleting a rule leaves the others, and the earlier changes as they were', () => {
  assert.equal(order(must(deleteRule(three, 'override', 'b'))), 'ac')
  assert.equal(order(three), 'abc')
})

test('no edit makes two rules of one id, whatever the order of edits', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd', '__proto__')
  const edit = fc.record({
    id,
    before: fc.option(id, { nil: undefined }),
    after: fc.option(id, { nil: undefined }),
    gone: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 20 }), (edits) => {
      let changes = NO_CHANGES
      for (const { id: ruleId, before, after, gone } of edits) {
        const outcome = gone
          ? deleteRule(changes, 'override', ruleId)
          : putRule(changes, 'override', ruleId, { actions: [] }, { before, after })
        if (!outcome.ok) continue
        changes = outcome.changes
        const ids = changes.own.override.map((rule) => rule.rule_id)
        assert.equal(new Set(ids).size, ids.length)
        const at = ids.indexOf(ruleId)
        if (!gone && before !== undefined && before !== ruleId) assert.equal(ids[at + 1], before)
        else if (!gone && before === undefined && after !== undefined && after !== ruleId)
          assert.equal(ids[at - 1], after)
      }
    }),
  )
})
