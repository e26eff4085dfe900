import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Cache } from '@causeway/store/cache/lru.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { compileRules, type CompiledRules } from '@causeway/matrix/push-rules/evaluate.ts'
import type { PushRuleEdit } from '@causeway/matrix/push-rules/edit.ts'
import { buildRuleset } from '@causeway/matrix/push-rules/predefined.ts'
import { NO_CHANGES, type PushRuleChanges, type PushRuleset } from '@causeway/matrix/push-rules/ruleset.ts'
import { changePushRules, findPushRules } from '@causeway/store/tables/push-rules.ts'
import type { Homeserver } from '../homeserver.ts'

/** A user's push rules at one moment. */
export interface UserPushRules {
  readonly changes: PushRuleChanges
  /** Log position of the last change; undefined when the user never changed any. */
  readonly changedAt: number | undefined
  readonly compiled: CompiledRules
}

/** The push rules of users of ours, compiled and cached. */
export interface PushRules {
  of(userId: UserId): Promise<UserPushRules>
  /** Applies an edit as one durable change. Throws the edit's refusal as a `MatrixError`. */
  edit(userId: UserId, apply: (changes: PushRuleChanges) => PushRuleEdit): Promise<void>
}

interface Held {
  readonly rules: UserPushRules
  /** Position of the log before the rules were read: changes after it make them old. */
  readonly asOf: number
  readonly bytes: number
}

/** How often an edit is tried again when another one of the same user came first. */
const ATTEMPTS = 5
/** What one user weighs whose rules are the predefined ones: only those that name the user are the user's own. */
const BASE_BYTES = 3_000

/** What was written before there was a kind of rule says nothing of it. */
function parseChanges(text: string): PushRuleChanges {
  const changes = JSON.parse(text) as PushRuleChanges
  return { ...changes, own: { ...NO_CHANGES.own, ...changes.own } }
}

async function load({ db, log }: Pick<Homeserver, 'db' | 'log'>, userId: UserId): Promise<Held> {
  const asOf = log.head()
  const row = await findPushRules(db, userId)
  const changes = row === undefined ? NO_CHANGES : parseChanges(row.changes)
  const compiled = compileRules(buildRuleset(userId, changes), userId)
  const rules = { changes, changedAt: row?.position, compiled }
  return { rules, asOf, bytes: BASE_BYTES + 8 * (row?.changes.length ?? 0) }
}

export function createPushRules(hs: Pick<Homeserver, 'db' | 'log' | 'budget'>): PushRules {
  const cache: Cache<UserId, Held> = hs.budget.cache({
    name: 'push_rules',
    share: 0.02,
    weigh: (held: Held) => held.bytes,
  })
  const find = async (userId: UserId): Promise<UserPushRules> => {
    const held = cache.get(userId)
    if (held !== undefined && !hs.log.changes.push_rules.mayHaveChanged(userId, held.asOf)) return held.rules
    const loaded = await load(hs, userId)
    cache.set(userId, loaded)
    return loaded.rules
  }
  return {
    of: find,
    async edit(userId, apply) {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const before = await find(userId)
        const edited = apply(before.changes)
        if (!edited.ok) throw new MatrixError(edited.errcode, edited.message, { status: edited.status })
        const result = await hs.log.append({
          entries: [{ kind: 'push_rules', position: 0, userId }],
          steps: [changePushRules(userId, JSON.stringify(edited.changes), 0, before.changedAt)],
        })
        if (result.ok) return
        cache.delete(userId)
      }
      throw new MatrixError('M_UNKNOWN', 'Your push rules are being changed by other requests; try again')
    },
  }
}

/** The rules as they are shown: not kept, since mostly they are the predefined ones. */
export function rulesetOf({ changes, compiled }: UserPushRules): PushRuleset {
  return buildRuleset(compiled.userId, changes)
}

/** The event that clients get as account data. https://spec.matrix.org/v1.19/client-server-api/#mpush_rules */
export function pushRulesEvent(rules: UserPushRules): string {
  return `{"type":"m.push_rules","content":{"global":${JSON.stringify(rulesetOf(rules))}}}`
}
