// https://spec.matrix.org/v1.19/client-server-api/#push-rules-api
import { Type } from 'typebox'
import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import {
  deleteRule,
  findRule,
  putRule,
  setRuleActions,
  setRuleEnabled,
} from '@causeway/matrix/push-rules/edit.ts'
import { isPushRuleKind, PUSH_RULE_KINDS, type PushRule } from '@causeway/matrix/push-rules/ruleset.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, type Session } from '../http/endpoint.ts'
import { rulesetOf } from '../user-data/push-rules.ts'
import { jsonObject } from '../http/schemas.ts'
import { v3 } from './paths.ts'

const ruleId = Type.String({ minLength: 1 })
const ruleParams = Type.Object({ kind: Type.Enum([...PUSH_RULE_KINDS]), ruleId })
/** Clients look for kinds that other servers have: of those there is no rule. */
const anyRuleParams = Type.Object({ kind: Type.String(), ruleId })
const actionList = Type.Array(Type.Union([Type.String(), jsonObject]), { maxItems: 64 })
const RULE = '/pushrules/global/:kind/:ruleId'

/** A path with and without a slash at the end: clients use both. */
function slashed(path: string): { path: string; also: string[] } {
  const { path: main, also } = v3(path)
  return { path: `${main}/`, also: [main, ...also, ...also.map((other) => `${other}/`)] }
}

async function requireRule(
  hs: Homeserver,
  { userId }: Session,
  { kind, ruleId: id }: { kind: string; ruleId: string },
): Promise<PushRule> {
  const { changes } = await hs.pushRules.of(userId)
  const rule = isPushRuleKind(kind) ? findRule(changes, kind, id, userId) : undefined
  if (rule === undefined) throw notFound(`You have no ${kind} rule with the id ${id}`)
  return rule
}

/** Rules are JSON all through; their types only say so less plainly. */
function asJson(value: object): JsonObject {
  return value as JsonObject
}

export const getPushRules = defineEndpoint({
  operation: 'getPushRules',
  method: 'GET',
  ...slashed('/pushrules'),
  auth: 'user',
  rateLimit: 'read',
  run: async (hs, { session }) => asJson({ global: rulesetOf(await hs.pushRules.of(session.userId)) }),
})

export const getPushRulesGlobal = defineEndpoint({
  operation: 'getPushRulesGlobal',
  method: 'GET',
  ...slashed('/pushrules/global'),
  auth: 'user',
  rateLimit: 'read',
  run: async (hs, { session }) => asJson(rulesetOf(await hs.pushRules.of(session.userId))),
})

export const getPushRule = defineEndpoint({
  operation: 'getPushRule',
  method: 'GET',
  ...v3(RULE),
  auth: 'user',
  rateLimit: 'read',
  params: anyRuleParams,
  run: async (hs, { session, params }) => asJson(await requireRule(hs, session, params)),
})

export const setPushRule = defineEndpoint({
  operation: 'setPushRule',
  method: 'PUT',
  ...v3(RULE),
  auth: 'user',
  rateLimit: 'read',
  params: ruleParams,
  query: Type.Object({ before: Type.Optional(Type.String()), after: Type.Optional(Type.String()) }),
  body: Type.Object({
    actions: actionList,
    conditions: Type.Optional(Type.Array(jsonObject)),
    pattern: Type.Optional(Type.String()),
  }),
  run: async (hs, { session, params: { kind, ruleId: id }, query, body }) => {
    await hs.pushRules.edit(session.userId, (changes) => putRule(changes, kind, id, body, query))
    return {}
  },
})

export const deletePushRule = defineEndpoint({
  operation: 'deletePushRule',
  method: 'DELETE',
  ...v3(RULE),
  auth: 'user',
  rateLimit: 'read',
  params: ruleParams,
  run: async (hs, { session, params: { kind, ruleId: id } }) => {
    await hs.pushRules.edit(session.userId, (changes) => deleteRule(changes, kind, id))
    return {}
  },
})

export const isPushRuleEnabled = defineEndpoint({
  operation: 'isPushRuleEnabled',
  method: 'GET',
  ...v3(`${RULE}/enabled`),
  auth: 'user',
  rateLimit: 'read',
  params: anyRuleParams,
  run: async (hs, { session, params }) => ({ enabled: (await requireRule(hs, session, params)).enabled }),
})

export const setPushRuleEnabled = defineEndpoint({
  operation: 'setPushRuleEnabled',
  method: 'PUT',
  ...v3(`${RULE}/enabled`),
  auth: 'user',
  rateLimit: 'read',
  params: ruleParams,
  body: Type.Object({ enabled: Type.Boolean() }),
  run: async (hs, { session: { userId }, params: { kind, ruleId: id }, body }) => {
    await hs.pushRules.edit(userId, (changes) => setRuleEnabled(changes, kind, id, body.enabled, userId))
    return {}
  },
})

export const getPushRuleActions = defineEndpoint({
  operation: 'getPushRuleActions',
  method: 'GET',
  ...v3(`${RULE}/actions`),
  auth: 'user',
  rateLimit: 'read',
  params: anyRuleParams,
  run: async (hs, { session, params }) => ({
    actions: [...(await requireRule(hs, session, params)).actions],
  }),
})

export const setPushRuleActions = defineEndpoint({
  operation: 'setPushRuleActions',
  method: 'PUT',
  ...v3(`${RULE}/actions`),
  auth: 'user',
  rateLimit: 'read',
  params: ruleParams,
  body: Type.Object({ actions: actionList }),
  run: async (hs, { session: { userId }, params: { kind, ruleId: id }, body }) => {
    await hs.pushRules.edit(userId, (changes) => setRuleActions(changes, kind, id, body.actions, userId))
    return {}
  },
})
